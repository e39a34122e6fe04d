"""What does an untrained model answer: in which range, do its outputs already sum to one, where can they never go?"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import OutputProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes.bench import UnanswerableError, answer, class_axis
from diagnoser.training.probes.functions import bounds
from diagnoser.training.workload import Workload

LARGER_INPUTS = (10.0, 100.0)  # what is only small by chance leaves its range there
SUM_TOLERANCE = 1e-3  # of a sum that should be 1 (CATALOGUE, softmax-before-cross-entropy)
ROWS = 16
ROUNDING = 1e-6  # float32 may end this far outside a closed range
TARGET_ROWS = 10_000  # enough to see a share of 1 %


@dataclass(frozen=True)
class Answers:
    """One initialisation's outputs on one batch, in eval mode; and those for larger inputs, where inputs are floats."""

    given: Tensor
    larger: tuple[Tensor, ...]

    @property
    def all(self) -> tuple[Tensor, ...]:
        return (self.given, *self.larger)


def collect(workload: Workload, model: nn.Module, batch: Any) -> Answers:
    """Ask a model in eval mode; outputs that are not finite for larger inputs are left out."""
    given = answer(workload, model, batch)
    larger = []
    if workload.layout is not None and workload.layout.first_input(batch).is_floating_point():
        for factor in LARGER_INPUTS:

            def grow(tensor: Tensor, by: float = factor) -> Tensor:
                return tensor * by if tensor.is_floating_point() else tensor

            outputs = answer(workload, model, workload.layout.map_inputs(batch, grow))
            if outputs.isfinite().all():
                larger.append(outputs)
    return Answers(given, tuple(larger))


def profile(
    workload: Workload, answers: list[Answers], *, target_shape: tuple[int, ...] | None, final_operation: str
) -> OutputProfile:
    """Summarise the outputs over all initialisations."""
    seen = [output for one in answers for output in one.all]
    given = torch.cat([one.given.flatten() for one in answers])
    shape = tuple(answers[0].given.shape)
    if not given.numel():
        raise UnanswerableError("the output is empty")
    axis = class_axis(shape, target_shape)
    lowest, highest = (min(float(t.min()) for t in seen), max(float(t.max()) for t in seen))
    lower, upper = _reached(final_operation, lowest, highest)
    return OutputProfile(
        shape=shape,
        minimum=given.min().item(),
        maximum=given.max().item(),
        std=given.std(unbiased=False).item(),
        rows_sum_to_one=_sums_to_one(seen, axis),
        columns_sum_to_one=_columns_sum_to_one(seen, axis),
        within_unit_interval=lowest >= -ROUNDING and highest <= 1 + ROUNDING,
        never_negative=lowest >= 0,
        exact_zero_share=(given == 0).double().mean().item(),
        exact_one_share=(given == 1).double().mean().item(),
        constant_one=all(bool((output == 1).all()) for output in seen),
        lower_bound=lower,
        upper_bound=upper,
        final_operation=final_operation,
        targets_out_of_range_share=_out_of_range(workload, shape, lower, upper),
    )


def _sums_to_one(outputs: list[Tensor], axis: int) -> bool:
    return all(bool(((output.sum(axis) - 1).abs() <= SUM_TOLERANCE).all()) for output in outputs if output.ndim > axis)


def _columns_sum_to_one(outputs: list[Tensor], axis: int) -> bool:
    """Along the batch, or along the time of (N, T, V); a batch of one row would always do."""
    others = [other for other in range(outputs[0].ndim) if other != axis and outputs[0].shape[other] > 1]
    return any(_sums_to_one(outputs, other) for other in others) if outputs[0].ndim >= 2 else _one_column(outputs)


def _one_column(outputs: list[Tensor]) -> bool:
    """(N,): a softmax over the batch of a single output that was squeezed."""
    return outputs[0].ndim == 1 and len(outputs[0]) > 1 and _sums_to_one(outputs, 0)


def _reached(operation: str, lowest: float, highest: float) -> tuple[float | None, float | None]:
    """Give the bounds of the last operation that what was seen agrees with."""
    lower, upper = bounds(operation)
    if lower is not None and lowest < lower - ROUNDING:
        lower = None
    if upper is not None and highest > upper + ROUNDING:
        upper = None
    return lower, upper


def _out_of_range(workload: Workload, shape: tuple[int, ...], lower: float | None, upper: float | None) -> float | None:
    if (lower is None and upper is None) or workload.layout is None:
        return None
    classes = workload.task in (Task.CLASSIFICATION, Task.LANGUAGE_MODEL)
    if classes and len(shape) >= 2 and shape[-1] > 1:
        return None  # a target is an index there, no value to reach
    rows = min(workload.train.rows, TARGET_ROWS if workload.train.in_memory else workload.train.batch_size)
    target = workload.layout.target(workload.train.take(range(rows)))
    if target is None or not target.numel():
        return None
    values = target.detach().double()
    outside = torch.zeros_like(values, dtype=torch.bool)
    if lower is not None:
        outside |= values < lower - ROUNDING
    if upper is not None:
        outside |= values > upper + ROUNDING
    return outside.double().mean().item()
