"""How does a loss behave as a function of output and target? Questions that any loss answers, the user's own too.

None looks at a name: a loss is asked for its value at outputs whose right answer theory knows.
Legend of shapes: N rows, C classes, T positions.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from diagnoser.training.probes.bench import UnanswerableError
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

Domain = Literal["real", "probabilities", "log probabilities"]

SHIFT = 5.0  # as in CATALOGUE, softmax-before-cross-entropy
EQUAL = 1e-4  # relative; float32 sums of a few hundred terms after a shift by 5
UNCHANGED = 1e-6  # relative; CATALOGUE, output-target-broadcast
EXTREME = 100.0  # CATALOGUE, loss-unsafe-at-extremes
SURE = 10.0  # logits of a confident answer: a probability of 0.9999
MOST_VALUES = 2**22  # of a table of classes by classes
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Case:
    """A loss with the untrained model's outputs for one batch and that batch's targets."""

    workload: Workload
    output: Tensor
    target: Tensor
    axis: int  # of the classes in the output
    domain: Domain  # what the loss takes
    family: str  # of Assumptions.loss_family
    rows_sum_to_one: bool

    def loss(self, output: Tensor, target: Tensor | None = None) -> Tensor:
        value = self.workload.loss_of_output(output, self.target if target is None else target)
        if value is None:
            raise UnanswerableError("the loss is no function of output and target alone")
        return value

    def value(self, output: Tensor, target: Tensor | None = None) -> float:
        with forked(0):
            return self.loss(output, target).item()

    @property
    def holds_classes(self) -> bool:
        """Tell whether targets are indices of classes along the output's class axis."""
        whole = not self.target.is_floating_point() and self.target.dtype != torch.bool
        without = [size for axis, size in enumerate(self.output.shape) if axis != self.axis]
        return whole and self.output.ndim >= 2 and self.target.numel() == torch.Size(without).numel()

    @property
    def classes(self) -> int:
        return self.output.shape[self.axis]

    def stand_in(self) -> Tensor:
        """Draw outputs as a trained model might give them: no two alike, also where the untrained model's are."""
        with forked(1):
            drawn = torch.randn_like(self.output)
        return self.in_domain(drawn)

    def in_domain(self, logits: Tensor) -> Tensor:
        if self.domain == "log probabilities":
            return F.log_softmax(logits, self.axis)
        if self.domain == "probabilities":
            many = self.rows_sum_to_one and self.classes > 1
            return F.softmax(logits, self.axis) if many else torch.sigmoid(logits)
        return logits


def near(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * max(abs(one), abs(other), 1e-12)


def applies_softmax(case: Case) -> bool:
    """loss(z) = loss(z + c) along the class axis, for one c and for another in each row; yet it depends on z."""
    if case.output.ndim < 2 or case.classes < 2:
        return False
    with forked(1):
        z = torch.randn_like(case.output)
    shape = [size if axis != case.axis else 1 for axis, size in enumerate(z.shape)]
    here = case.value(z)
    with forked(2):
        by_row = SHIFT * torch.rand(shape, dtype=z.dtype, device=z.device)
    same = near(here, case.value(z + SHIFT), EQUAL) and near(here, case.value(z + by_row), EQUAL)
    return same and not near(here, case.value(2 * z), EQUAL)


def takes_log_probabilities(case: Case) -> bool:
    """A negative log-likelihood falls in a straight line when all its outputs rise."""
    z = case.stand_in()
    here, one, two = (case.value(z + step) for step in (0.0, 1.0, 2.0))
    return not near(here, one, EQUAL) and abs((two - one) - (one - here)) <= EQUAL * max(abs(two), abs(here), 1.0)


def doubled_batch_ratio(case: Case) -> float:
    once = case.value(case.output)
    if once == 0 or not math.isfinite(once):
        raise UnanswerableError("the loss is 0 or not a number")
    return case.value(torch.cat([case.output, case.output]), torch.cat([case.target, case.target])) / once


def broadcasts(case: Case) -> bool:
    """Shapes differ and are stretched to fit: not the loss of equal shapes, nor one that tells rows apart."""
    output, target = case.output, case.target
    if output.shape == target.shape or (case.holds_classes and case.classes > 1):
        return False
    try:
        torch.broadcast_shapes(output.shape, target.shape)
    except RuntimeError:
        return False
    if output.numel() != target.numel():
        return True
    z = case.stand_in()
    if near(case.value(z), case.value(z, target.reshape(output.shape)), UNCHANGED):
        return False
    return permutation_invariant(case)  # all pairs of rows: which target is whose no longer counts


def permutation_invariant(case: Case) -> bool:
    """Tell whether the loss is the same whichever row a target belongs to."""
    if len(case.target) < 2 or bool((case.target == case.target[:1]).all()):
        raise UnanswerableError("all targets of the batch are equal")
    z = case.stand_in()
    with forked(3):
        order = torch.randperm(len(case.target), device=case.target.device)
    here = case.value(z)
    return all(near(here, case.value(z, moved), UNCHANGED) for moved in (case.target[order], case.target.roll(1, 0)))


def falls_with_worse_answers(case: Case) -> bool:
    """Tell whether sure wrong answers cost less than sure right ones."""
    right, *wrong = sure_answers(case)
    best, others = case.value(right), [case.value(output) for output in wrong]
    values = torch.tensor([best, *others])
    if not values.isfinite().all():
        raise UnanswerableError("the loss is not finite at sure answers")
    return all(best > other and not near(best, other, EQUAL) for other in others)


def sure_answers(case: Case) -> list[Tensor]:
    """Outputs that say the targets, and then outputs that say something else, for sure."""
    if case.holds_classes and case.classes > 1:
        shape = [size for axis, size in enumerate(case.output.shape) if axis != case.axis]
        index = case.target.reshape(shape).long().clamp(0, case.classes - 1)
        marks = [F.one_hot((index + step) % case.classes, case.classes).movedim(-1, case.axis) for step in (0, 1)]
        return [case.in_domain(SURE * mark.to(case.output)) for mark in marks]
    if case.target.numel() != case.output.numel():
        raise UnanswerableError("what the right output would be is not known")
    target = case.target.reshape(case.output.shape).to(case.output)
    within = bool(((target >= 0) & (target <= 1)).all())
    takes_odds = case.domain != "real" or case.family == "bce_with_logits"
    if takes_odds and within:
        return [case.in_domain(SURE * (2 * mark - 1)) for mark in (target, 1 - target)]
    away = 3 * target.std(unbiased=False) + 1
    return [target, target + away, target - away]


def finite_at_extremes(case: Case) -> bool:
    """Loss and gradient are finite at outputs x 100, both signs; for probabilities at exactly 0 and 1."""
    if case.domain == "probabilities":
        points = [torch.zeros_like(case.output), torch.ones_like(case.output)]
    else:
        points = [case.in_domain(factor * case.output) for factor in (EXTREME, -EXTREME)]
    return all(_finite_at(case, point) for point in points)


def _finite_at(case: Case, point: Tensor) -> bool:
    point = point.detach().requires_grad_()
    with forked(0):
        loss = case.loss(point)
    if not loss.isfinite():
        return False
    gradients = torch.autograd.grad(loss, point, allow_unused=True, materialize_grads=True)
    return bool(gradients[0].isfinite().all())


def classes_without_weight(case: Case) -> tuple[int, ...]:
    """Classes whose targets leave no gradient: a class weight of 0, or an `ignore_index` that is a class."""
    number = case.classes
    if not case.holds_classes or number < 2 or number * number > MOST_VALUES:
        return ()
    shape = [1] * case.output.ndim  # (C, C) with single positions: one row for each class
    shape[0] = shape[case.axis] = number
    with forked(4):
        z = torch.randn(shape, dtype=case.output.dtype, device=case.output.device)
    z = case.in_domain(z).requires_grad_()
    target_shape = [number] + [1] * (case.target.ndim - 1)
    target = torch.arange(number, device=case.target.device, dtype=case.target.dtype).reshape(target_shape)
    with forked(0):
        loss = case.loss(z, target)
    (gradient,) = torch.autograd.grad(loss, z)
    silent = (gradient.flatten(1) == 0).all(dim=1)
    if not loss.isfinite() or silent.all():
        raise UnanswerableError("the loss has no gradient with one target of each class")
    return tuple(silent.nonzero().flatten().tolist())
