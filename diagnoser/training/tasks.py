"""What is the model asked to do? Read off the shapes and values of outputs and targets."""

from dataclasses import dataclass

import torch
from torch import Tensor

from diagnoser.spec.fields import Task
from diagnoser.training.losses import is_tokens


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A task and why it was read so."""

    task: Task
    because: str
    class_axis: int = 1
    classes: int | None = None


def infer_task(
    output: Tensor | None, target: Tensor | None, *, target_is_input: bool, more_targets: Tensor | None
) -> Reading:
    """Infer the task from one batch; `more_targets` are those of many rows, for what values occur."""
    if output is None or target is None or output.ndim == 0:
        return Reading(task=Task.CUSTOM, because="only the step knows what is compared with what")
    shapes = f"output {tuple(output.shape)}, targets {_kind(target)} {tuple(target.shape)}"
    if target_is_input:
        return Reading(task=Task.REGRESSION, because=f"the output is compared with the input ({shapes})")
    values = target if more_targets is None else more_targets
    if not target.is_floating_point() and target.dtype is not torch.bool:
        return _of_whole_numbers(output, target, values, shapes)
    if target.numel() == output.numel() and _zero_or_one(values):
        return _of_decisions(output, values, shapes)
    if target.shape == output.shape and output.ndim > 1 and output.shape[1] > 1 and _distributions(values):
        return _classification(output, f"each row of targets is a distribution ({shapes})")
    return Reading(task=Task.REGRESSION, because=f"targets are real numbers ({shapes})")


def complete(task: Task, output: Tensor | None, target: Tensor | None) -> Reading:
    """Add classes and their axis to a task that the user named."""
    because = "given in the spec"
    if output is None or output.ndim == 0:
        return Reading(task=task, because=because)
    if task is Task.LANGUAGE_MODEL:
        channel_first = target is not None and output.ndim == 3 and output.shape[:-1] != target.shape
        axis = 1 if channel_first else output.ndim - 1
        return Reading(task=task, because=because, class_axis=axis, classes=int(output.shape[axis]))
    if task is Task.CLASSIFICATION and output.ndim > 1:
        read = _classification(output, because)
        if target is not None and is_tokens(output, target):
            return Reading(task=task, because=because, class_axis=output.ndim - 1, classes=int(output.shape[-1]))
        return Reading(task=task, because=because, class_axis=read.class_axis, classes=read.classes)
    if task is Task.BINARY:
        return Reading(task=task, because=because, classes=2)
    if task is Task.MULTILABEL and output.ndim > 1:
        return Reading(task=task, because=because, classes=int(output.shape[1]))
    return Reading(task=task, because=because)


def _of_whole_numbers(output: Tensor, target: Tensor, values: Tensor, shapes: str) -> Reading:
    if is_tokens(output, target):
        why = f"a class for each position of a sequence ({shapes})"
        return Reading(task=Task.LANGUAGE_MODEL, because=why, class_axis=output.ndim - 1, classes=int(output.shape[-1]))
    one_column = output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1)
    if one_column and target.numel() == output.numel():
        if _zero_or_one(values):
            return Reading(task=Task.BINARY, because=f"one output, targets 0 and 1 ({shapes})", classes=2)
        return Reading(task=Task.REGRESSION, because=f"one output, whole numbers as targets ({shapes})")
    if target.shape == output.shape and _zero_or_one(values):
        return _of_decisions(output, values, shapes)
    return _classification(output, f"a class per row and one output per class ({shapes})")


def _of_decisions(output: Tensor, values: Tensor, shapes: str) -> Reading:
    columns = 1 if output.ndim == 1 else int(output[0].numel())
    if columns == 1:
        return Reading(task=Task.BINARY, because=f"one output, targets 0 and 1 ({shapes})", classes=2)
    if values.ndim == 2 and bool((values.float().sum(1) == 1).all()):
        return _classification(output, f"each row of targets has a single 1 ({shapes})")
    return Reading(task=Task.MULTILABEL, because=f"targets are several 0s and 1s a row ({shapes})", classes=columns)


def _classification(output: Tensor, because: str) -> Reading:
    axis = 1 if output.ndim > 1 else 0
    return Reading(task=Task.CLASSIFICATION, because=because, class_axis=axis, classes=int(output.shape[axis]))


def _zero_or_one(values: Tensor) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _distributions(values: Tensor) -> bool:
    return values.ndim == 2 and bool((values >= 0).all()) and bool(((values.sum(1) - 1).abs() < 1e-4).all())


def _kind(target: Tensor) -> str:
    return str(target.dtype).removeprefix("torch.")
