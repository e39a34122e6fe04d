"""Does the loss become what each transform says, and does a patient with that fault recover by it?"""

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.spec.fields import Loss, Optimizer, Task
from diagnoser.training import transforms
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform
from tests.helpers.training import classes, loaded, net, numbers, ran, two


def changed(workload: Workload, transform: Transform) -> Workload:
    return transforms.apply_to_workload(workload, (transform,))


def minus(output: Tensor, target: Tensor) -> Tensor:
    return -F.cross_entropy(output, target)


def climbing(model: nn.Module, batch: Any) -> Tensor:
    x, y = batch
    return -F.cross_entropy(model(x), y)


class Own(nn.Module):
    """Answers with its loss, and with the wrong sign."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(x)
        return {"loss": -F.cross_entropy(logits, labels), "logits": logits}


def own_data() -> Any:
    return tuple([{"x": a, "labels": b} for a, b in zip(*pair, strict=True)] for pair in two())


CLIMBERS: dict[str, Any] = {
    "a loss of the program's own": lambda: loaded(net, two(), loss_fn=minus, loss=None),
    "a step": lambda: loaded(net, two(), step_fn=climbing, step="test:step"),
    "a model that answers with its loss": lambda: loaded(Own, own_data(), loss=None),
}


@pytest.mark.parametrize("program", CLIMBERS.values(), ids=CLIMBERS)
def test_a_negated_loss_has_the_other_sign_and_the_patient_learns(program: Any) -> None:
    workload = program()
    seen = changed(workload, Transform.NEGATE_LOSS)
    model = workload.build_model(seed=0)
    batch = workload.train.head(16)
    assert float(seen.loss(model, batch).detach()) == -float(workload.loss(model, batch).detach())
    untreated, treated = (ran(workload, updates=60, transforms=wanted) for wanted in ((), (Transform.NEGATE_LOSS,)))
    assert untreated.losses[-1] < untreated.losses[0] < 0  # it climbs the cross-entropy
    assert 0 < treated.losses[-1] < treated.losses[0]
    if workload.metric_name == "accuracy":
        assert (treated.final_metric or 0) > 0.8 > (untreated.final_metric or 0)


def test_label_smoothing_stays_in_sight_under_a_turned_sign() -> None:
    given = Loss(name="cross_entropy", args={"label_smoothing": 0.2})
    function = changed(loaded(net, two(), loss=given), Transform.NEGATE_LOSS).loss_function
    assert function is not None
    assert isinstance(function.function, functools.partial)
    assert function.function.keywords == {"label_smoothing": 0.2}


RARE = torch.tensor([0] * 48 + [1] * 12 + [2] * 4)  # weights 64 / (3 x 48), 64 / (3 x 12), 64 / (3 x 4)
WEIGHTS = torch.tensor([64 / 144, 64 / 36, 64 / 12])


def uneven() -> Any:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    return ((x, RARE),) * 2


WEIGHED: dict[str, dict[str, Any]] = {
    "cross-entropy by name": {"loss": "cross_entropy"},
    "with label smoothing": {"loss": Loss(name="cross_entropy", args={"label_smoothing": 0.1})},
    "a module": {"loss": None, "loss_fn": nn.CrossEntropyLoss()},
    "what the task suggests": {"loss": None},
}


@pytest.mark.parametrize("given", WEIGHED.values(), ids=WEIGHED)
def test_each_class_weighs_rows_over_classes_times_its_rows(given: dict[str, Any]) -> None:
    workload = loaded(net, uneven(), **given)
    output, target = torch.randn(64, 3, generator=torch.Generator().manual_seed(1)), RARE
    smoothing = 0.1 if isinstance(given["loss"], Loss) else 0.0
    expected = F.cross_entropy(output, target, weight=WEIGHTS, label_smoothing=smoothing)
    seen = changed(workload, Transform.WEIGHT_CLASSES)
    assert torch.allclose(seen.loss_of_output(output, target), expected)  # type: ignore[arg-type]
    assert float(seen.loss_of_output(output, target)) != pytest.approx(  # type: ignore[arg-type]
        float(workload.loss_of_output(output, target))  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", ["binary_cross_entropy_with_logits", "binary_cross_entropy"])
def test_two_classes_of_one_output_are_weighed_row_by_row(name: str) -> None:
    y = torch.tensor([0.0] * 60 + [1.0] * 4)[:, None]
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    ends = [nn.Sigmoid()] if name == "binary_cross_entropy" else []
    workload = loaded(lambda: nn.Sequential(net(outputs=1), *ends), ((x, y),) * 2, loss=name)
    assert workload.task is Task.BINARY
    output = torch.rand(64, 1, generator=torch.Generator().manual_seed(1))
    by_row = torch.where(y > 0, 64 / 8, 64 / 120)
    expected = getattr(F, name)(output, y, weight=by_row)
    assert torch.allclose(
        changed(workload, Transform.WEIGHT_CLASSES).loss_of_output(output, y),  # type: ignore[arg-type]
        expected,
    )


def test_focal_loss_gets_the_weights_as_its_alpha() -> None:
    seen = changed(loaded(net, uneven(), loss="focal_loss"), Transform.WEIGHT_CLASSES).loss_function
    assert seen is not None
    assert isinstance(seen.function, functools.partial)
    assert torch.allclose(seen.function.keywords["alpha"], WEIGHTS)


def test_a_class_that_was_given_up_is_found_once_it_weighs_more() -> None:
    def data(rows: int, seed: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(seed)
        y = (torch.rand(rows, generator=draw) < 0.04).long()
        return torch.randn(rows, 4, generator=draw) + 1.2 * y[:, None], y

    workload = loaded(
        lambda: net(outputs=2),
        (data(600, 0), data(400, 1)),
        loss="cross_entropy",
        optimizer=Optimizer(name="sgd", lr=0.05),
    )
    untreated, treated = (
        ran(workload, updates=150, scheduled=True, transforms=wanted) for wanted in ((), (Transform.WEIGHT_CLASSES,))
    )
    assert untreated.recalls[1] < 0.2
    assert treated.recalls[1] > 0.6


REFUSED: dict[str, tuple[Any, str]] = {
    "a loss of the program's own": (lambda: loaded(net, uneven(), loss_fn=minus, loss=None), "your own"),
    "weights that are there": (
        lambda: loaded(net, uneven(), loss=Loss(name="cross_entropy", args={"weight": [1.0, 2.0, 3.0]})),
        "already",
    ),
    "real targets": (lambda: loaded(lambda: net(outputs=1), two(numbers), loss="mse_loss"), "no class labels"),
    "even classes": (
        lambda: loaded(net, ((classes(63)[0], torch.arange(63) % 3),) * 2, loss="cross_entropy"),
        "same number",
    ),
    "a step": (lambda: loaded(net, uneven(), step_fn=climbing, step="test:step"), "your own"),
}


@pytest.mark.parametrize(("program", "words"), REFUSED.values(), ids=REFUSED)
def test_classes_that_cannot_be_weighed_are_refused_with_a_reason(program: Any, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        changed(program(), Transform.WEIGHT_CLASSES)
