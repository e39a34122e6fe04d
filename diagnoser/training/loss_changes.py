"""How does each transform change the loss? Its sign turned, its classes weighed, its target in the output's shape."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.training.layout import own_loss
from diagnoser.training.losses import Loss, focal_loss, scalar
from diagnoser.training.target_changes import class_labels
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

_BINARY: Mapping[str, Callable[..., Tensor]] = {
    "bce": F.binary_cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
}
_WEIGHED_BY_CLASS = (F.cross_entropy, F.nll_loss)
_AS_FUNCTION: Mapping[type, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    nn.CrossEntropyLoss: (F.cross_entropy, ("ignore_index", "reduction", "label_smoothing")),
    nn.NLLLoss: (F.nll_loss, ("ignore_index", "reduction")),
}
"""Modules of torch's, the functions that they call, and what they hand on."""


def negate_loss(workload: Workload) -> Workload:
    """Turn the sign of the loss, whether a function, the step or the model computes it."""
    step, loss = workload.step, workload.loss_function
    if step is not None:
        return replace(workload, step=lambda model, batch: -scalar(step(model, batch)))
    if loss is not None:
        return replace(workload, loss_function=replace(loss, words=f"-{loss.words}", function=_turned(loss.function)))
    return replace(
        workload,
        loss_function=Loss(words="-(the model's own loss)", function=_turned_own, family="other", built_in=False),
    )


def view_target_as_output(workload: Workload) -> Workload:
    """Give the loss its target in the shape of the output."""
    if workload.loss_function is None:
        raise Unsupported("the target is compared with the output inside the step")
    return replace(workload, loss_function=replace(workload.loss_function, view_target=True))


def weight_classes(workload: Workload) -> Workload:
    """Let the loss of a class weigh rows / (classes x its rows), so that every class has the same say in all."""
    loss = workload.loss_function
    if loss is None or not loss.built_in:
        raise Unsupported("the loss is your own: only there its classes can be weighed")
    classes, labels = workload.classes or 2, class_labels(workload, workload.train)
    if workload.metric_function.ignored is not None:
        labels = labels[labels != workload.metric_function.ignored]
    if bool(((labels < 0) | (labels >= classes)).any()):
        raise Unsupported("labels occur that the model has no output for")
    counts = torch.bincount(labels, minlength=classes)
    present = counts > 0
    if int(present.sum()) < 2 or bool((counts[present] == counts[present][0]).all()):
        raise Unsupported("all classes have the same number of rows")
    weights = counts.sum() / (present.sum() * counts.clamp_min(1))
    weights = torch.where(present, weights, torch.ones_like(weights)).to(workload.device)
    return replace(
        workload, loss_function=replace(loss, words=f"{loss.words}, classes weighed", function=_weighed(loss, weights))
    )


@dataclass(frozen=True)
class _Turned:
    """A loss with the other sign."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **given: Any) -> Tensor:
        return -scalar(self.function(*args, **given))


def _turned(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the sign inside a partial: its arguments stay in sight (label smoothing, by which stacked trials differ)."""
    if isinstance(function, functools.partial):
        return functools.partial(_Turned(function.func), *function.args, **function.keywords)
    return _Turned(function)


def _turned_own(answer: Any, _: Any) -> Tensor:
    found = own_loss(answer)
    if found is None:
        raise Unsupported("the model answered without its loss")
    return -found.reshape(())


def _weighed(loss: Loss, weights: Tensor) -> Callable[..., Any]:
    """Put the weights where this loss takes them. Raises Unsupported where it has some, or takes none."""
    made = loss.function
    given = _settings(made)
    if any(given.get(name) is not None for name in ("weight", "pos_weight", "alpha")):
        raise Unsupported("the loss weighs its classes already")
    if loss.family in _BINARY:
        if given.get("reduction", "mean") != "mean":
            raise Unsupported("the loss is no mean over rows")
        return functools.partial(_weighed_binary, function=_BINARY[loss.family], weights=weights)
    if type(made) in _AS_FUNCTION:
        plain, arguments = _AS_FUNCTION[type(made)]
        made = functools.partial(plain, **{name: getattr(made, name) for name in arguments})
    if not isinstance(made, functools.partial):
        made = functools.partial(made)
    if made.func is focal_loss:
        return functools.partial(made, alpha=weights)
    if made.func not in _WEIGHED_BY_CLASS:
        raise Unsupported(f"{loss.words} takes no weights of classes")
    return functools.partial(_InItsPrecision(made.func), *made.args, **made.keywords, weight=weights)


@dataclass(frozen=True)
class _InItsPrecision:
    """A loss whose weights take the type of the outputs, as torch asks for."""

    function: Callable[..., Tensor]

    def __call__(self, output: Tensor, target: Tensor, *, weight: Tensor, **given: Any) -> Tensor:
        return self.function(output, target, weight=weight.to(output.dtype), **given)


def _settings(made: Any) -> Mapping[str, Any]:
    if isinstance(made, functools.partial):
        return made.keywords
    names = ("weight", "pos_weight", "reduction")
    return {name: getattr(made, name) for name in names if hasattr(made, name)} if isinstance(made, nn.Module) else {}


def _weighed_binary(output: Tensor, target: Tensor, *, function: Callable[..., Tensor], weights: Tensor) -> Tensor:
    by_row = torch.where(target > 0.5, weights[1], weights[0]).to(output.dtype)
    return function(output, target, weight=by_row)
