"""Models whose gradient is right, and models whose gradient is wrong by a known factor."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.evidence.preflight import GradientCheck
from diagnoser.spec.fields import Loss, Task
from diagnoser.training.probes import gradient as probe_of_gradient
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, workload

RIGHT, WRONG = 1e-5, 1e-2


def measured(model: Callable[[], nn.Module], **settings: Any) -> GradientCheck:
    return probe_of_gradient.measure(workload(model=model, **settings), Probe(probe=ProbeKind.GRADIENT))


class Between(nn.Module):
    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(FEATURES, 16), nn.Linear(16, 16), nn.Linear(16, CLASSES)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(torch.tanh(self.middle(self.between(self.first(x)))))
        return out


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * torch.as_tensor(x) * outer[0]


class SquareWrong(Square):
    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.as_tensor(x) * outer[0]  # the factor 2 is missing


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        return outer[0]


@pytest.mark.parametrize(
    "model",
    [
        lambda: Between(torch.relu),
        lambda: Between(torch.tanh),
        lambda: Between(lambda h: F.dropout(h, 0.5)),
        lambda: nn.Sequential(nn.Linear(FEATURES, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, CLASSES)),
        lambda: Between(lambda h: h.float().to(torch.float32) + torch.ones(16, dtype=torch.float32)),
    ],
)
def test_a_right_gradient_agrees_with_finite_differences(model: Callable[[], nn.Module]) -> None:
    seen = measured(model)
    assert len(seen.relative_errors) == len(seen.directions) == 4
    assert max(seen.relative_errors) < RIGHT
    assert (seen.suspects, seen.worst_layer) == ((), None)


def test_a_right_gradient_of_the_users_own_is_named_but_not_blamed() -> None:
    seen = measured(lambda: Between(Square.apply))
    assert max(seen.relative_errors) < RIGHT
    assert (seen.suspects, seen.worst_layer) == (("Square",), None)


def test_a_gradient_that_is_half_of_the_slope_is_found_with_its_function_and_the_layer_before_it() -> None:
    seen = measured(lambda: Between(SquareWrong.apply))
    assert max(seen.relative_errors) > WRONG
    assert seen.suspects == ("SquareWrong",)
    assert seen.flat_layer is None
    assert seen.worst_layer == "first"


def test_straight_through_is_found_and_named() -> None:
    seen = measured(lambda: Between(Straight.apply))
    assert max(seen.relative_errors) > WRONG
    assert seen.suspects == ("Straight",)
    assert seen.flat_layer == "first"  # a step is level, however its backward pass slopes


def test_a_detached_part_is_found_and_named() -> None:
    seen = measured(lambda: Between(lambda h: torch.relu(h).detach()))
    assert max(seen.relative_errors) > WRONG
    assert seen.suspects == ("detach",)
    assert seen.worst_layer == "first"


def test_blank_pixels_behind_a_bias_of_zero_do_not_look_wrong() -> None:
    def network() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, CLASSES),
        )  # fmt: skip

    x = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, :, :, 4:] = 0
    y = torch.arange(64) % CLASSES
    assert max(measured(network, data=((x, y), (x, y))).relative_errors) < WRONG / 10


def test_constants_in_float32_that_the_users_code_holds_do_not_stand_in_the_way() -> None:
    shift = torch.full((16,), 0.3)
    assert max(measured(lambda: Between(lambda h: torch.relu(torch.addcmul(h, shift, shift)))).relative_errors) < RIGHT


def test_class_weights_do_not_stand_in_the_way() -> None:
    given = Loss(name="cross_entropy", args={"weight": [1.0, 2.0, 1.0, 1.0]})
    asked = workload(model=lambda: Between(torch.relu))
    asked = asked.under(asked.spec.model_copy(update={"loss": given}))
    seen = probe_of_gradient.measure(asked, Probe(probe=ProbeKind.GRADIENT))
    assert max(seen.relative_errors) < RIGHT


def test_recurrent_models_over_tokens_are_checked() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.lstm, self.head = nn.Embedding(7, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 7)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.lstm(self.tokens(x))[0])
            return out

    x = torch.randint(7, (64, 6), generator=torch.Generator().manual_seed(0))
    seen = measured(Words, data=((x, x), (x[:20], x[:20])), task=Task.LANGUAGE_MODEL)
    assert max(seen.relative_errors) < RIGHT


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: Between(lambda h: h.bfloat16().float()), "bfloat16"),
        (lambda: Between(lambda h: h / 0 - h / 0), "finite"),
        (lambda: Between(torch.relu).requires_grad_(False), "no trainable parameters"),
    ],
)
def test_what_cannot_be_checked_says_why(model: Callable[[], nn.Module], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        measured(model)


def test_the_users_model_and_the_default_type_stay_as_they_were() -> None:
    model = Between(torch.relu)
    before = [weight.detach().clone() for weight in model.parameters()]
    measured(lambda: model)
    assert torch.get_default_dtype() is torch.float32
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_padding_gets_no_gradient_by_design() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(20, 8, padding_idx=0), nn.Linear(8, CLASSES)

        def forward(self, ids: Tensor) -> Tensor:
            out: Tensor = self.head(torch.tanh(self.embed(ids)).mean(1))
            return out

    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 20, (96, 6), generator=draw)  # the 0 among them is padding, and counts in the mean
    seen = measured(Reader, data=((ids[:64], ids[:64, 0] % CLASSES), (ids[64:], ids[64:, 0] % CLASSES)))
    assert max(seen.relative_errors) < RIGHT
