"""Can the loss be computed at all? Tells a loss that cannot work from one that dislikes these values."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Task
from diagnoser.training.batches import Batch, described, length
from diagnoser.training.failures import USER_STOPS, is_out_of_memory, user_code_error
from diagnoser.training.modes import eval_mode
from diagnoser.training.randomness import forked

if TYPE_CHECKING:
    from diagnoser.training.workload import Workload

_MEAN_TOLERANCE = 0.2  # a loss of the doubled batch / of the batch: 1 for a mean, 2 for a sum


def tried(workload: "Workload", model: nn.Module, batch: Batch, output: Tensor | None) -> "Workload":
    """Compute the first loss; tell a loss that cannot work from one that dislikes these values."""
    problem = None if workload.device.type == "cpu" else _label_problem(workload)
    if problem is not None:
        return replace(workload, loss_problem=problem)
    with eval_mode(model), torch.no_grad(), forked(0), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            once = workload.loss(model, batch)
            twice = _twice(workload, model, batch, once)
            return replace(workload, loss_is_mean=twice)
        except USER_STOPS as error:
            if is_out_of_memory(error):
                return workload
            if not _only_values(workload, model, batch, output):
                where = f"loss: {workload.loss_words} failed on the first batch"
                shapes = f" (the model's output is {described(output)})" if output is not None else ""
                raise user_code_error(where + shapes, error) from error
            return replace(workload, loss_problem=f"{type(error).__name__}: {error}")


def _twice(workload: "Workload", model: nn.Module, batch: Batch, once: Tensor) -> bool:
    """Tell whether the loss is a mean over rows: half the batch has about the same loss."""
    rows = length(batch)
    if rows < 2 or not bool(torch.isfinite(once)) or float(once) == 0 or not workload.train.in_memory:
        return True
    doubled = workload.to_device(workload.train.take(torch.arange(rows).repeat(2) % workload.train.rows))
    single = workload.to_device(workload.train.take(torch.arange(rows) % workload.train.rows))
    try:
        with forked(0):
            one = float(workload.loss(model, single))
        with forked(0):
            two = float(workload.loss(model, doubled))
    except USER_STOPS:
        return True
    return not abs(two / one - 2) < _MEAN_TOLERANCE if one else True


def _only_values(workload: "Workload", model: nn.Module, batch: Batch, output: Tensor | None) -> bool:
    """Tell whether the loss works once targets are 0 and outputs lie in (0, 1): then it was a value, not a shape."""
    layout = workload.layout
    if layout is None:
        return False
    target = layout.target(batch)
    if target is None or layout.target_at is None:
        return False
    milder = layout.with_target(batch, torch.zeros_like(target))
    try:
        if workload.step is not None:
            workload.loss(model, milder)
        else:
            assert workload.loss_function is not None
            if output is None:
                return False
            workload.loss_function.of(torch.full_like(output, 0.5), layout.target_object(milder))
    except USER_STOPS:
        return False
    return True


def _label_problem(workload: "Workload") -> str | None:
    """Look for labels that would stop a CUDA device for good: on the host, before any loss is computed."""
    if workload.layout is None or workload.task not in {Task.CLASSIFICATION, Task.LANGUAGE_MODEL}:
        return None
    target = (
        workload.layout.target(workload.train.take(torch.arange(workload.train.rows)))
        if workload.train.in_memory
        else None
    )
    if target is None or target.is_floating_point() or workload.classes is None:
        return None
    bad = (target >= workload.classes) | ((target < 0) & (target != workload.metric_function.ignored))
    if not bool(bad.any()):
        return None
    return f"IndexError: label {int(target[bad][0])} is out of range for {workload.classes} outputs"
