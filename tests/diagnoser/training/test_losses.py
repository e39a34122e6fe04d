"""Is the loss the one that was asked for, and is its family told right?"""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import Loss
from diagnoser.training.losses import focal_loss, scalar
from tests.helpers.training import classes, loaded, net, numbers, ran, two


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    z, y = torch.randn(8, 3), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    assert torch.allclose(focal_loss(z, y, gamma=0.0), F.cross_entropy(z, y))
    b = torch.tensor([0.0, 1.0] * 4)[:, None]
    assert torch.allclose(focal_loss(z[:, :1], b, gamma=0.0), F.binary_cross_entropy_with_logits(z[:, :1], b))
    assert focal_loss(z, y) < F.cross_entropy(z, y)
    sure = torch.zeros(1, 4)
    assert float(focal_loss(sure, torch.tensor([0]))) == pytest.approx(
        (1 - 1 / 4) ** 2 * float(torch.tensor(4.0).log())
    )


WRITTEN: list[tuple[str, Any, Any, Any]] = [
    ("cross_entropy", F.cross_entropy, 3, two()),
    ("cross_entropy", lambda z, y: F.cross_entropy(z, y, weight=torch.tensor([1.0, 2.0, 5.0])), 3, two()),
    ("cross_entropy", lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), 3, two()),
    ("cross_entropy", lambda z, y: F.cross_entropy(z, y, reduction="sum"), 3, two()),
    ("cross_entropy", lambda z, y: -F.log_softmax(z, 1)[torch.arange(len(y)), y].mean(), 3, two()),
    ("nll", F.nll_loss, 3, two()),
    ("mse", lambda z, y: ((z - y) ** 2).mean(), 1, two(numbers)),
    ("mse", lambda z, y: 0.5 * ((z - y) ** 2).sum(), 1, two(numbers)),
    ("l1", lambda z, y: (z - y).abs().mean(), 1, two(numbers)),
    ("huber", F.smooth_l1_loss, 1, two(numbers)),
    ("other", lambda z, y: torch.log(torch.cosh(z - y)).mean(), 1, two(numbers)),
    ("other", lambda z, y: F.cross_entropy(torch.softmax(z, 1), y), 3, two()),
    ("focal", focal_loss, 3, two()),
]


@pytest.mark.parametrize(("family", "function", "outputs", "data"), WRITTEN)
def test_the_family_of_a_loss_is_told_by_its_values(family: str, function: Any, outputs: int, data: Any) -> None:
    assert loaded(lambda: net(outputs=outputs), data, loss_fn=function).loss_family == family


def binary(rows: int = 64, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    x, _ = classes(rows, seed=seed)
    return x, (x[:, :1] > 0).float()


@pytest.mark.parametrize(
    ("family", "function"),
    [
        ("bce_with_logits", lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=torch.tensor(3.0))),
        ("bce", lambda z, y: F.binary_cross_entropy(z.clamp(1e-6, 1 - 1e-6), y)),
    ],
)
def test_losses_of_two_classes_are_told_by_their_values(family: str, function: Any) -> None:
    assert loaded(lambda: net(outputs=1), two(binary), loss_fn=function).loss_family == family


def test_the_family_is_told_inside_a_step() -> None:
    def step(model: nn.Module, batch: Any) -> Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    assert loaded(net, two(), step_fn=step).loss_family == "cross_entropy"


def test_torchs_own_classes_are_built_first() -> None:
    given = Loss(factory="torch.nn:CrossEntropyLoss", args={"label_smoothing": 0.1, "weight": [1.0, 2.0, 3.0]})
    workload = loaded(net, two(), loss=given)
    assert (workload.loss_family, workload.assumptions().loss) == ("cross_entropy", "torch.nn:CrossEntropyLoss")
    assert ran(workload, updates=2).error is None


def test_tokens_are_flattened_for_losses_by_name() -> None:
    tokens = torch.randint(5, (32, 6), generator=torch.Generator().manual_seed(0))
    model = lambda: nn.Sequential(nn.Embedding(5, 8), nn.Linear(8, 5))  # noqa: E731
    for loss in (Loss(name="cross_entropy"), Loss(factory="torch.nn:CrossEntropyLoss")):
        workload = loaded(model, ((tokens, tokens), (tokens, tokens)), loss=loss)
        told = workload.assumptions()
        assert (told.task, told.classes, told.metric) == ("language_model", 5, "accuracy")
        assert ran(workload, updates=3).error is None


def test_a_loss_that_grows_with_the_batch_is_noticed() -> None:
    summed = loaded(net, two(), loss=Loss(name="cross_entropy", args={"reduction": "sum"}))
    assert not summed.loss_is_mean
    assert loaded(net, two(), loss="cross_entropy").loss_is_mean
    result = ran(summed, updates=3)
    assert result.initial_loss == pytest.approx(result.losses[0], rel=0.2)  # on the scale of a batch


@pytest.mark.parametrize(
    "value", [torch.tensor(2.0), torch.tensor([2.0]), (torch.tensor(2.0), {}), {"loss": torch.tensor(2.0)}]
)
def test_the_scalar_in_what_a_step_returns_is_found(value: Any) -> None:
    assert float(scalar(value)) == 2.0


@pytest.mark.parametrize(
    ("value", "words"), [(None, "scalar tensor"), (torch.zeros(4), r"shape \(4,\)"), (3.0, "class float")]
)
def test_a_loss_that_is_no_scalar_is_refused(value: Any, words: str) -> None:
    with pytest.raises(UserCodeError, match=words):
        scalar(value)


@pytest.mark.parametrize(
    ("model", "data", "loss", "family"),
    [
        (net, two(), "cross_entropy", "cross_entropy"),
        (lambda: nn.Sequential(net(), nn.Softmax(1)), two(), "nll_loss of the logarithm", "nll"),
        (lambda: net(outputs=1), two(binary), "binary_cross_entropy_with_logits", "bce_with_logits"),
        (lambda: nn.Sequential(net(outputs=1), nn.Sigmoid()), two(binary), "binary_cross_entropy", "bce"),
        (lambda: net(outputs=1), two(numbers), "mse_loss", "mse"),
    ],
)
def test_a_loss_that_is_left_out_follows_from_the_task(model: Any, data: Any, loss: str, family: str) -> None:
    workload = loaded(model, data)
    told = workload.assumptions()
    assert (told.loss, told.loss_family) == (loss, family)
    assert any(assumption.key == "loss" for assumption in told.assumed)
    assert ran(workload, updates=3).error is None
