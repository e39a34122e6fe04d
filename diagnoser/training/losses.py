"""What is the loss: a built-in by name, the user's own, or the one that the task suggests?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import Loss as LossSpec
from diagnoser.spec.fields import Task
from diagnoser.training.failures import USER_STOPS, user_code_error
from diagnoser.training.resolve import bound, import_attribute

Family = Literal["cross_entropy", "nll", "bce", "bce_with_logits", "mse", "l1", "huber", "focal", "other"]

# Legend of shapes: B rows, C classes, T positions, V words of the vocabulary.

_FAMILY_OF: Mapping[str, Family] = {
    "cross_entropy": "cross_entropy",
    "CrossEntropyLoss": "cross_entropy",
    "nll_loss": "nll",
    "NLLLoss": "nll",
    "binary_cross_entropy": "bce",
    "BCELoss": "bce",
    "binary_cross_entropy_with_logits": "bce_with_logits",
    "BCEWithLogitsLoss": "bce_with_logits",
    "multilabel_soft_margin_loss": "bce_with_logits",
    "MultiLabelSoftMarginLoss": "bce_with_logits",
    "mse_loss": "mse",
    "MSELoss": "mse",
    "l1_loss": "l1",
    "L1Loss": "l1",
    "smooth_l1_loss": "huber",
    "SmoothL1Loss": "huber",
    "huber_loss": "huber",
    "HuberLoss": "huber",
    "focal_loss": "focal",
}
_NEEDS_FLOAT_TARGET = frozenset({"bce", "bce_with_logits", "mse", "l1", "huber"})
_TENSOR_ARGUMENTS = ("weight", "pos_weight")  # lists in a spec, tensors for torch


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss as it is called: `function(answer, target)`."""

    words: str  # "cross_entropy", "project:weighted_loss"
    function: Callable[[Any, Any], Any]
    family: Family
    built_in: bool  # torch's own: gets the main tensor of the answer, and tokens flattened
    inferred: bool = False
    view_target: bool = False  # the target is viewed in the output's shape first

    def of(self, answer: Any, target: Any) -> Tensor:
        """Compute the loss of an answer; a built-in is first given the shapes that it expects."""
        if self.view_target and isinstance(target, Tensor) and isinstance(answer, Tensor):
            target = target.view_as(answer)
        if self.built_in and isinstance(answer, Tensor) and isinstance(target, Tensor):
            answer, target = shaped(answer, target, family=self.family)
        return scalar(self.function(answer, target))


def focal_loss(
    output: Tensor, target: Tensor, *, gamma: float = 2.0, alpha: float | Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Cross-entropy scaled by (1 - p)^gamma (arXiv 1708.02002): of classes, or of labels when the shapes are equal."""
    if output.shape == target.shape:
        entropy = F.binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")
    else:
        entropy = F.cross_entropy(output, target, reduction="none")
    loss = (1 - torch.exp(-entropy)) ** gamma * entropy
    if alpha is not None:
        weight = torch.as_tensor(alpha, dtype=loss.dtype, device=loss.device)
        if weight.ndim:
            loss = loss * weight[target.long()]
        elif output.shape == target.shape:
            loss = loss * torch.where(target > 0, weight, 1 - weight)
        else:
            loss = loss * weight
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def shaped(output: Tensor, target: Tensor, *, family: Family) -> tuple[Tensor, Tensor]:
    """Flatten tokens for losses over classes, and give losses over numbers a target of the output's type."""
    if family in {"cross_entropy", "nll", "focal"} and is_tokens(output, target):
        return output.flatten(0, -2), target.flatten()  # (B*T, V), (B*T,)
    if family in _NEEDS_FLOAT_TARGET and not target.is_floating_point():
        return output, target.to(output.dtype)
    return output, target


def is_tokens(output: Tensor, target: Tensor) -> bool:
    """Tell whether this is (B, T, V) beside (B, T) of whole numbers, and not (B, C, T) as cross_entropy takes it."""
    if target.is_floating_point() or output.ndim < 3 or output.shape[:-1] != target.shape:
        return False
    return not (output.shape[0] == target.shape[0] and output.shape[2:] == target.shape[1:]) or output.ndim == 3


def scalar(value: Any) -> Tensor:
    """Return the loss in what a loss or step returned: a scalar, or the first or the key "loss" of several."""
    if isinstance(value, Mapping) and "loss" in value:
        value = value["loss"]
    elif isinstance(value, tuple | list) and value:
        value = value[0]
    elif not isinstance(value, Tensor) and isinstance(getattr(value, "loss", None), Tensor):
        value = value.loss
    if not isinstance(value, Tensor):
        raise UserCodeError(f"the loss must be a scalar tensor; it is {value!r} of class {type(value).__name__}"[:300])
    if value.ndim and value.numel() != 1:
        raise UserCodeError(
            f"the loss must be a scalar; it has shape {tuple(value.shape)}: take its mean, or use reduction='mean'"
        )
    return value.reshape(())


def make_loss(given: LossSpec, *, folder: Path, device: torch.device) -> Loss:
    """Build the loss that the spec names. Raises UserCodeError."""
    if given.name is not None:
        function = focal_loss if given.name == "focal_loss" else getattr(F, given.name, None)
        if function is None:
            raise UserCodeError(f"loss: torch.nn.functional has no {given.name!r} in this version of torch")
        made = bound(function, _tensors(given.args, device))
        return Loss(words=given.name, function=made, family=_FAMILY_OF.get(given.name, "other"), built_in=True)
    assert given.factory is not None
    found = import_attribute(given.factory, folder=folder)
    torchs_own = (getattr(found, "__module__", "") or "").startswith("torch.nn")
    try:
        made = bound(found, _tensors(given.args, device) if torchs_own else given.args)
    except USER_STOPS as error:
        raise user_code_error(f"loss: {given.factory} could not be built", error) from error
    return from_object(made, words=given.factory, device=device)


def from_object(made: Any, *, words: str, device: torch.device) -> Loss:
    """Wrap a loss that is already an object: a module, a function, a class without arguments."""
    if isinstance(made, type):
        made = made()
    if isinstance(made, nn.Module):
        made = made.to(device)
    function = made.func if hasattr(made, "func") else made  # of a functools.partial
    name = getattr(function, "__name__", type(made).__name__)
    module = getattr(function, "__module__", None) or type(made).__module__
    built_in = module.startswith("torch.nn")
    family = _FAMILY_OF.get(name, "other") if built_in else "other"
    return Loss(words=words, function=made, family=family, built_in=built_in)


def inferred_loss(task: Task, *, probabilities: bool) -> Loss | None:
    """Return the loss that a task suggests; None for a custom task. `probabilities`: the model ends in one."""
    match task:
        case Task.CLASSIFICATION | Task.LANGUAGE_MODEL if probabilities:
            return _own("nll_loss of the logarithm", _nll_of_probabilities, "nll")
        case Task.CLASSIFICATION | Task.LANGUAGE_MODEL:
            return _own("cross_entropy", F.cross_entropy, "cross_entropy")
        case Task.BINARY | Task.MULTILABEL if probabilities:
            return _own("binary_cross_entropy", F.binary_cross_entropy, "bce")
        case Task.BINARY | Task.MULTILABEL:
            return _own("binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits, "bce_with_logits")
        case Task.REGRESSION:
            return _own("mse_loss", F.mse_loss, "mse")
        case _:
            return None


def _own(words: str, function: Callable[[Any, Any], Any], family: Family) -> Loss:
    numbers = family in _NEEDS_FLOAT_TARGET
    return Loss(words=words, function=function, family=family, built_in=True, inferred=True, view_target=numbers)


def _nll_of_probabilities(output: Tensor, target: Tensor) -> Tensor:
    smallest = torch.finfo(output.dtype).tiny
    if target.is_floating_point():
        return -(target * output.clamp_min(smallest).log()).sum(1).mean()
    return F.nll_loss(output.clamp_min(smallest).log(), target)


def _tensors(args: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    return {
        key: torch.tensor(value, dtype=torch.get_default_dtype(), device=device)
        if key in _TENSOR_ARGUMENTS and isinstance(value, list | tuple | int | float)
        else value
        for key, value in args.items()
    }
