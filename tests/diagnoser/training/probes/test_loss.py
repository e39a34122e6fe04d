"""Losses whose behaviour is known from theory, and the ways in which they are got wrong."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.evidence.preflight import LossProfile
from diagnoser.spec.fields import Data, Factory, Loss, Task, TrainingSpec
from diagnoser.training.live import LiveObjects
from diagnoser.training.probes import loss as probe_of_loss
from diagnoser.training.workload import load
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, blobs

Function = Callable[[Tensor, Tensor], Tensor]


def net(out: int = CLASSES, end: nn.Module | None = None) -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, out), end or nn.Identity())


def measured(
    loss: Any = None,
    *,
    named: Loss | None = None,
    data: Any = None,
    out: int = CLASSES,
    end: nn.Module | None = None,
    task: Task | None = None,
    step: Any = None,
) -> LossProfile:
    spec = TrainingSpec(
        name="loss",
        model=Factory(factory="test:model"),
        data=Data(factory="test:data", batch_size=16),
        loss=named,
        task=task,
        device="cpu",
    )
    given = data if data is not None else (blobs(160, seed=1), blobs(64, seed=2))
    objects = LiveObjects(model_fn=lambda: net(out, end), data=given, loss=loss, step=step)
    return probe_of_loss.measure(load(spec, folder=Path(), objects=objects), Probe(probe=ProbeKind.LOSS))


def rows(target: Callable[[Tensor], Tensor]) -> Any:
    def split(count: int, seed: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed))
        return x, target(x)

    return split(160, 1), split(64, 2)


def column() -> Any:
    return rows(lambda x: x[:, :1] * 2 + 1)


def flat() -> Any:
    return rows(lambda x: x[:, 0] * 2 + 1)


def yes_or_no() -> Any:
    return rows(lambda x: (x[:, :1] > 0).float())


def test_cross_entropy_is_what_it_should_be() -> None:
    seen = measured(named=Loss(name="cross_entropy"))
    assert seen.value == pytest.approx(math.log(CLASSES), rel=0.5)
    assert (seen.applies_softmax, seen.applies_sigmoid) == (True, False)
    assert not (seen.takes_log_probabilities)
    assert not (seen.takes_probabilities)
    assert seen.doubled_batch_ratio == pytest.approx(1.0)
    assert (seen.output_shape, seen.target_shape) == ((16, CLASSES), (16,))
    assert (seen.broadcasts, seen.permutation_invariant, seen.falls_with_worse_answers) == (False, False, False)
    assert (seen.negative, seen.finite_at_extremes) == (False, True)
    assert (seen.label_out_of_range, seen.ignored_class, seen.zero_weight_classes) == ((), None, ())
    assert (seen.because_unjudged, seen.unanswered) == (None, ())


def test_a_softmax_is_found_inside_a_loss_of_the_users() -> None:
    def own(output: Tensor, target: Tensor) -> Tensor:
        p = torch.exp(output) / torch.exp(output).sum(1, keepdim=True)
        return -torch.log(p[torch.arange(len(target)), target] + 1e-12).mean()

    seen = measured(own)
    assert seen.applies_softmax is True
    assert seen.finite_at_extremes is False  # exp(x100)
    assert seen.falls_with_worse_answers is False


@pytest.mark.parametrize("loss", [F.mse_loss, lambda o, t: ((o - t) ** 2).mean()])
def test_squared_error_has_no_softmax_and_no_sigmoid(loss: Function) -> None:
    seen = measured(loss, data=column(), out=1)
    assert (seen.applies_softmax, seen.applies_sigmoid, seen.falls_with_worse_answers) == (False, False, False)
    assert (seen.broadcasts, seen.permutation_invariant, seen.finite_at_extremes) == (False, False, True)


def test_a_sigmoid_is_found_inside_a_loss_of_the_users() -> None:
    def own(output: Tensor, target: Tensor) -> Tensor:
        return (2 * target * F.softplus(-output) + (1 - target) * F.softplus(output)).mean()

    for seen in (
        measured(own, data=yes_or_no(), out=1),
        measured(named=Loss(factory="torch.nn:BCEWithLogitsLoss"), data=yes_or_no(), out=1),
    ):
        assert seen.applies_sigmoid is True
        assert (seen.falls_with_worse_answers, seen.finite_at_extremes, seen.targets_within_unit_interval) == (
            False,
            True,
            True,
        )


def test_a_logarithm_of_a_sigmoid_is_not_safe() -> None:
    def own(output: Tensor, target: Tensor) -> Tensor:
        p = torch.sigmoid(output)
        return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean() * 1.0

    def steep(output: Tensor, target: Tensor) -> Tensor:
        return own(10 * output, target)

    assert measured(steep, data=yes_or_no(), out=1).finite_at_extremes is False


def test_a_loss_of_probabilities_is_asked_at_zero_and_one() -> None:
    safe = measured(named=Loss(name="binary_cross_entropy"), data=yes_or_no(), out=1, end=nn.Sigmoid())
    assert (safe.takes_probabilities, safe.finite_at_extremes, safe.falls_with_worse_answers) == (True, True, False)

    def own(output: Tensor, target: Tensor) -> Tensor:
        return -(target * torch.log(output) + (1 - target) * torch.log(1 - output)).mean()

    assert measured(own, data=yes_or_no(), out=1, end=nn.Sigmoid()).finite_at_extremes is False


@pytest.mark.parametrize(("end", "sums"), [(nn.LogSoftmax(1), True), (None, False)])
def test_a_loss_of_log_probabilities_is_compared_with_what_it_is_given(end: nn.Module | None, sums: bool) -> None:
    seen = measured(named=Loss(name="nll_loss"), end=end)
    assert seen.takes_log_probabilities
    assert seen.rows_of_exp_sum_to_one is sums
    assert (seen.applies_softmax, seen.falls_with_worse_answers) == (False, False)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_sum_doubles_with_the_batch(reduction: str) -> None:
    seen = measured(named=Loss(name="cross_entropy", args={"reduction": reduction}))
    assert seen.doubled_batch_ratio == pytest.approx(2.0 if reduction == "sum" else 1.0)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("loss", [F.mse_loss, lambda o, t: ((o - t) ** 2).mean()])
def test_a_column_against_a_row_broadcasts_and_forgets_which_row_is_which(loss: Function) -> None:
    seen = measured(loss, data=flat(), out=1, task=Task.REGRESSION)
    assert (seen.output_shape, seen.target_shape) == ((16, 1), (16,))
    assert (seen.broadcasts, seen.permutation_invariant) == (True, True)


def test_a_loss_that_squeezes_by_itself_does_not_broadcast() -> None:
    seen = measured(lambda o, t: ((o.squeeze(1) - t) ** 2).mean(), data=flat(), out=1, task=Task.REGRESSION)
    assert (seen.broadcasts, seen.permutation_invariant) == (False, False)


@pytest.mark.parametrize(
    ("loss", "data", "out"),
    [
        (lambda o, t: -F.cross_entropy(o, t), None, CLASSES),
        (lambda o, t: -F.mse_loss(o, t), column(), 1),
        (lambda o, t: -F.binary_cross_entropy_with_logits(o, t), yes_or_no(), 1),
        (lambda o, t: F.nll_loss(-F.log_softmax(o, 1), t), None, CLASSES),
    ],
)
def test_a_loss_with_the_wrong_sign_falls_with_worse_answers(loss: Function, data: Any, out: int) -> None:
    seen = measured(loss, data=data, out=out)
    assert seen.falls_with_worse_answers is True
    assert seen.negative


def test_an_unknown_loss_is_not_called_wrong() -> None:
    seen = measured(lambda o, t: (o**2).mean(), data=column(), out=3)
    assert seen.falls_with_worse_answers is None
    assert not seen.negative


@pytest.mark.parametrize(("shift", "outside"), [(0, ()), (1, (CLASSES,)), (-1, (-1,))])
def test_labels_outside_the_outputs_are_listed(shift: int, outside: tuple[int, ...]) -> None:
    data = tuple((x, y + shift) for x, y in (blobs(160, seed=1), blobs(64, seed=2)))
    seen = measured(named=Loss(name="cross_entropy"), data=data, task=Task.CLASSIFICATION)
    assert seen.label_out_of_range == outside
    assert math.isnan(seen.value) is bool(outside)


def test_labels_that_are_no_yes_or_no_are_listed() -> None:
    data = rows(lambda x: (x[:, :1] > 0).float() + 1)
    seen = measured(named=Loss(name="binary_cross_entropy_with_logits"), data=data, out=1, task=Task.BINARY)
    assert seen.label_out_of_range == (2,)
    assert not seen.targets_within_unit_interval


def test_ignored_and_weightless_classes_are_found_by_their_gradient() -> None:
    assert measured(named=Loss(name="cross_entropy", args={"ignore_index": 2})).ignored_class == 2
    named = measured(named=Loss(name="cross_entropy", args={"weight": [1.0, 0.0, 1.0, 0.5]}))
    weight = torch.tensor([1.0, 0.0, 1.0, 0.5])
    own = measured(lambda o, t: F.cross_entropy(o, t, weight=weight))
    assert named.zero_weight_classes == own.zero_weight_classes == (1,)
    assert named.ignored_class is None


def test_tokens_are_classes_along_the_last_axis() -> None:
    def texts(count: int) -> tuple[Tensor, Tensor]:
        text = torch.randint(7, (count, 9), generator=torch.Generator().manual_seed(count))
        return text[:, :-1].clone(), text[:, 1:].clone()

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.head = nn.Embedding(7, 8), nn.Linear(8, 7)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.tokens(x))
            return out

    def own(output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1))

    spec = TrainingSpec(
        name="words", model=Factory(factory="t:m"), data=Data(factory="t:d", batch_size=8), device="cpu"
    )
    workload = load(spec, folder=Path(), objects=LiveObjects(model_fn=Words, data=(texts(64), texts(32)), loss=own))
    seen = probe_of_loss.measure(workload, Probe(probe=ProbeKind.LOSS))
    assert (seen.applies_softmax, seen.falls_with_worse_answers, seen.label_out_of_range) == (True, False, ())
    assert (seen.zero_weight_classes, seen.because_unjudged, seen.unanswered) == ((), None, ())


def test_a_step_is_measured_as_far_as_it_goes() -> None:
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return -F.cross_entropy(model(batch[0]), batch[1], reduction="sum")

    seen = measured(step=step)
    assert seen.negative
    assert seen.doubled_batch_ratio == pytest.approx(2.0)
    assert (seen.applies_softmax, seen.falls_with_worse_answers, seen.finite_at_extremes) == (None, None, None)
    assert seen.because_unjudged is not None
    assert "step" in seen.because_unjudged


def test_a_loss_over_all_that_the_model_answers_is_left_unjudged_with_the_reason() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(FEATURES, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            out = self.net(x)
            return out[:, :1], out[:, 1:]

    def own(answer: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        mean, log_variance = answer
        return ((mean - target) ** 2 / log_variance.exp() + log_variance).mean()

    spec = TrainingSpec(name="pair", model=Factory(factory="t:m"), data=Data(factory="t:d", batch_size=8), device="cpu")
    workload = load(spec, folder=Path(), objects=LiveObjects(model_fn=Pair, data=column(), loss=own))
    seen = probe_of_loss.measure(workload, Probe(probe=ProbeKind.LOSS))
    assert seen.because_unjudged is not None
    assert math.isfinite(seen.value)
