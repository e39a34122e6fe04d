"""Where the probes of model and loss work: a deadline, rows, comparable answers, and questions that may fail alone."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from diagnoser.training.batches import map_tensors, tensors
from diagnoser.training.failures import is_out_of_memory
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

Answer = TypeVar("Answer")

DEFAULT_SECONDS = 30.0  # a probe that is given no limit: a small model needs 2, a large one must not take minutes
CLASS_AXIS_OF_PICTURES = 1  # (N, C, H, W), as torch's losses read it


class UnanswerableError(Exception):
    """The question does not arise for this model, or nothing can be said."""


class Questions:
    """Asks one question after another until the time is up; one that fails leaves a reason and nothing else."""

    def __init__(self, max_seconds: float | None) -> None:
        self._end = time.monotonic() + (DEFAULT_SECONDS if max_seconds is None else max_seconds)
        self.left_open: list[str] = []

    @property
    def time_is_up(self) -> bool:
        return time.monotonic() > self._end

    def ask(self, name: str, question: Callable[[], Answer]) -> Answer | None:
        """Answer, or None with the reason in `left_open`. Memory errors pass: they are the probe's outcome."""
        if self.time_is_up:
            self._leave_open(name, "no time was left")
            return None
        return self.sum_up(name, question)

    def sum_up(self, name: str, question: Callable[[], Answer]) -> Answer | None:
        """Answer whatever the time: for what is made of answers that are there."""
        try:
            return question()
        except UnanswerableError as reason:
            self._leave_open(name, str(reason))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            words = str(error).strip().split("\n", 1)[0][:200]
            self._leave_open(name, f"{type(error).__name__}: {words}")
        return None

    def _leave_open(self, name: str, reason: str) -> None:
        line = f"{name}: {reason}"
        if line not in self.left_open:
            self.left_open.append(line)


def spread_rows(workload: Workload, count: int) -> Any:
    """Take up to `count` training rows by chance, the same each time: neighbours are of one class in ordered data."""
    chosen = torch.randperm(workload.train.rows, generator=torch.Generator().manual_seed(0))[:count]
    return workload.to_device(workload.train.take(chosen))


def tensors_in(value: Any) -> list[Tensor]:
    """List the tensors of an answer, in order, also of a data class."""
    fields = dataclasses.is_dataclass(value) and not isinstance(value, type | Mapping)
    return tensors(list(vars(value).values()) if fields else value)


def fresh(batch: Any) -> Any:
    """Copy a batch that is used again: a model may change its inputs in place."""
    return map_tensors(torch.clone, batch)


def answer(workload: Workload, model: nn.Module, batch: Any, *, seed: int = 0) -> Tensor:
    """Give the model's main output for a batch, detached, in float64 on the CPU, under a fixed random state."""
    with forked(seed):
        output = workload.output(model, fresh(batch))
    if output is None:
        raise UnanswerableError("the model's output could not be told from what it returns")
    return output.detach().to("cpu", torch.float64, copy=True)


def difference(one: Tensor, other: Tensor) -> float:
    """Largest difference relative to the largest value. Non-finite or empty outputs cannot be compared."""
    if one.shape != other.shape or not one.numel():
        raise UnanswerableError("the outputs have different shapes")
    if not (one.isfinite().all() and other.isfinite().all()):
        raise UnanswerableError("outputs are not finite")
    scale = max(one.abs().max().item(), other.abs().max().item())
    return 0.0 if scale == 0 else (one - other).abs().max().item() / scale


def class_axis(output: tuple[int, ...], target: tuple[int, ...] | None) -> int:
    """Along which axis of the output do the classes lie: the one that the target lacks; else by the shape's habit."""
    if target is not None and len(target) == len(output) - 1:
        missing = [axis for axis in range(1, len(output)) if output[:axis] + output[axis + 1 :] == target]
        if len(missing) == 1:
            return missing[0]
    return CLASS_AXIS_OF_PICTURES if len(output) >= 4 else len(output) - 1


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def step(optimizer: torch.optim.Optimizer, closure: Callable[[], Tensor]) -> None:
    """Make one update with the user's optimizer; LBFGS and its like need the closure, the others find gradients."""
    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step(closure)
        return
    optimizer.zero_grad()
    closure()
    optimizer.step()
