"""Can a program be loaded, and are the reasons told when it cannot?"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import Data, Factory, Loss, Metric, Optimizer
from diagnoser.trials import Outcome
from tests.helpers.training import classes, loaded, net, numbers, project, ran, two

GOOD = """
import torch
from torch import nn

def data(rows=32):
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    return (x, x[:, :3].argmax(1)), (x, x[:, :3].argmax(1))

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, x):
        return self.body(x)

model = Net

class settings:
    @staticmethod
    def build():
        return Net(16)

def make_optimizer(model, lr, weight_decay):
    return torch.optim.SGD(model.parameters(), lr=lr / 2, weight_decay=weight_decay)

def score(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()
"""


def test_a_models_own_way_of_training_is_asked_before_it_trains() -> None:
    """As in fine-tuning with frozen norms: their `train` leaves them in eval mode, whatever the loop says."""

    class Frozen(nn.Sequential):
        def train(self, mode: bool = True) -> "Frozen":
            super().train(mode)
            self[0].eval()
            return self

    workload = loaded(lambda: Frozen(nn.BatchNorm1d(4), net()), two(), loss="cross_entropy")
    assert [module.training for module in workload.build_model(seed=0).children()] == [False, True]


def test_a_project_is_loaded_by_import_path(tmp_path: Path) -> None:
    workload = project(
        tmp_path, GOOD,
        model=Factory(factory="project:Net", args={"width": 5}),
        optimizer=Optimizer(factory="project:make_optimizer", lr=0.2),
        metric=Metric(factory="project:score"),
        epochs=3,
    )  # fmt: skip
    told = workload.assumptions()
    assert (told.task, told.classes, told.loss_family) == ("classification", 3, "cross_entropy")
    assert (told.metric, told.effective_lr) == ("score", 0.1)
    assert (told.updates_per_epoch, told.total_updates) == (4, 12)
    assert (told.input_shape, told.target_shape, told.output_shape) == ((8, 4), (8,), (8, 3))
    assert workload.imported_files == ("project.py",)
    assert {assumption.key for assumption in told.assumed} >= {"task", "loss"}
    result = ran(workload, updates=4)
    assert result.error is None
    assert result.evaluations[-1].validation_metric is not None


def test_two_projects_with_one_module_name_do_not_meet(tmp_path: Path) -> None:
    for width in (4, 6):
        folder = tmp_path / str(width)
        folder.mkdir()
        workload = project(folder, GOOD.replace("width=8", f"width={width}"))
        assert workload.build_model(seed=0).body[0].out_features == width  # type: ignore[index, union-attr]


def test_attributes_may_be_dotted(tmp_path: Path) -> None:
    workload = project(tmp_path, GOOD, model=Factory(factory="project:settings.build"))
    assert workload.build_model(seed=0).body[0].out_features == 16  # type: ignore[index, union-attr]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def data(): return 1\nraise KeyError('at import')", "importing 'project' failed: KeyError"),
        ("import a_package_that_is_not_there", "No module named 'a_package_that_is_not_there'"),
        ("import sys\nsys.exit(2)", r"sys.exit\(2\)"),
        ("def data(:\n  pass", "SyntaxError"),
        (GOOD + "\ndel data", "'project' has no 'data'"),
        (GOOD + "\ndef data(): raise RuntimeError('no disk')", "data: project:data failed: RuntimeError: no disk"),
        (
            GOOD + "\ndef model(): raise RuntimeError('no weights')",
            "model: project:model failed: RuntimeError: no weights",
        ),
        (GOOD + "\ndef model(): import sys; sys.exit()", r"sys.exit\(None\)"),
        (GOOD + "\ndef model(): return 3", "must return a torch.nn.Module; it returned int"),
    ],
)
def test_what_the_users_code_raises_is_told_in_their_words(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(UserCodeError, match=words) as raised:
        project(tmp_path, code)
    assert "diagnoser/training/" not in raised.value.remote_traceback.replace("tests/diagnoser/training/", "")


def test_the_users_own_line_is_in_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(UserCodeError) as raised:
        project(tmp_path, GOOD + "\ndef model():\n    return undefined_name")
    assert "return undefined_name" in raised.value.remote_traceback
    assert "project.py" in raised.value.remote_traceback


def test_labels_out_of_range_do_not_stop_the_load() -> None:
    x, y = classes(64)
    y[7] = 12
    workload = loaded(net, ((x, y), (x, y)), loss="cross_entropy", shuffle=False)
    assert workload.loss_problem is not None
    assert "out of bounds" in workload.loss_problem
    result = ran(workload, updates=10)
    assert result.outcome is Outcome.USER_ERROR
    assert result.error is not None
    assert "out of bounds" in result.error.message


def test_logits_in_a_loss_of_probabilities_do_not_stop_the_load() -> None:
    x, y = numbers(64)
    data = ((x, (y > 0).float()),) * 2
    workload = loaded(lambda: net(outputs=1), data, loss="binary_cross_entropy")
    assert workload.loss_problem is not None


def test_shapes_that_never_fit_stop_the_load() -> None:
    x, y = classes(64)
    with pytest.raises(UserCodeError, match="loss: cross_entropy failed on the first batch"):
        loaded(net, ((x, y[:, None]), (x, y[:, None])), loss="cross_entropy")


def test_models_are_built_afresh_under_the_seed() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    a, b, c = (workload.build_model(seed=seed) for seed in (0, 0, 1))
    same = [torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True)]
    other = [torch.equal(p, q) for p, q in zip(a.parameters(), c.parameters(), strict=True)]
    assert all(same)
    assert not any(other)
    assert a is not b


def test_a_module_in_place_of_a_factory_is_copied_and_said() -> None:
    given = net()
    before = [p.detach().clone() for p in given.parameters()]
    workload = loaded(given, two(), loss="cross_entropy")
    ran(workload, updates=20)
    assert all(torch.equal(p, q) for p, q in zip(given.parameters(), before, strict=True))
    assert any("one initialisation only" in assumption.because for assumption in workload.assumptions().assumed)


def test_lazy_modules_are_given_their_shapes() -> None:
    workload = loaded(lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)), two(), loss="cross_entropy")
    assert ran(workload, updates=3).error is None


@pytest.mark.parametrize(
    ("outputs", "target", "task", "classes_"),
    [
        (3, lambda y: y, "classification", 3),
        (1, lambda y: (y > 0).long(), "binary", 2),
        (1, lambda y: (y > 0).float(), "binary", 2),
        (1, lambda y: (y > 0)[:, None], "binary", 2),
        (3, lambda y: torch.nn.functional.one_hot(y, 3).float(), "classification", 3),
        (3, lambda y: torch.stack([y > 0, y > 1, y > -1], 1).float(), "multilabel", 3),
        (1, lambda y: y * 1.5, "regression", None),
        (1, lambda y: y, "regression", None),
        (2, lambda y: torch.stack([y, 2 * y], 1) + 0.5, "regression", None),
    ],
)
def test_the_task_is_read_off_shapes_and_values(outputs: int, target: Any, task: str, classes_: int | None) -> None:
    x, y = classes(64)
    workload = loaded(lambda: net(outputs=outputs), ((x, target(y)), (x, target(y))))
    told = workload.assumptions()
    assert (told.task, told.classes) == (task, classes_)
    result = ran(workload, updates=20)
    assert result.error is None
    assert result.final_loss is not None
    assert result.final_loss < (result.initial_loss or 0)


def test_pictures_with_a_class_per_pixel_are_classification() -> None:
    x = torch.randn(16, 2, 5, 5)
    y = (x[:, 0] > 0).long()
    workload = loaded(lambda: nn.Conv2d(2, 2, 1), ((x, y), (x, y)), loss="cross_entropy")
    told = workload.assumptions()
    assert (told.task, told.classes) == ("classification", 2)
    assert ran(workload, updates=30).final_metric > 0.6  # type: ignore[operator]


def test_given_settings_are_not_assumed() -> None:
    workload = loaded(net, two(), loss="cross_entropy", task="classification", metric=Metric(name="f1"), epochs=2)
    assert {assumption.key for assumption in workload.assumptions().assumed} == {"step"}


def test_an_unknown_device_is_said() -> None:
    from diagnoser.spec.fields import TrainingSpec
    from diagnoser.training.live import LiveObjects
    from diagnoser.training.workload import load

    if torch.cuda.is_available():
        pytest.skip("there is one here")
    spec = TrainingSpec(name="t", model=Factory(factory="a:b"), data=Data(factory="a:b"), device="cuda")
    with pytest.raises(UserCodeError, match="no CUDA device"):
        load(spec, folder=Path(), objects=LiveObjects(model_fn=net, data=two()))


def test_a_recurrent_language_model_trains_by_step() -> None:
    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(7, 8)
            self.lstm = nn.LSTM(8, 16, batch_first=True)
            self.head = nn.Linear(16, 7)

        def forward(self, ids: Tensor) -> Any:
            return self.head(self.lstm(self.embed(ids))[0])

    def step(model: nn.Module, batch: Any) -> Tensor:
        x, y = batch
        return nn.functional.cross_entropy(model(x).transpose(1, 2), y)

    ids = torch.arange(200).remainder(7).unfold(0, 9, 3)
    data = ((ids[:, :-1], ids[:, 1:]),) * 2
    workload = loaded(Text, data, step_fn=step, optimizer=Optimizer(name="adam", lr=0.02))
    told = workload.assumptions()
    assert (told.task, told.classes, told.loss_family) == ("language_model", 7, "cross_entropy")
    assert ran(workload, updates=80).final_metric > 0.9  # type: ignore[operator]


def test_a_changed_loss_is_settled_again() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    changed = workload.under(workload.spec.model_copy(update={"loss": Loss(name="focal_loss")}))
    assert (changed.loss_family, workload.loss_family) == ("focal", "cross_entropy")
