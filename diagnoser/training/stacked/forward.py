"""What are the losses of N trials on their batches? One batched call of the model and the loss.

Shapes: N trials.
"""

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from diagnoser.training.failures import USER_STOPS
from diagnoser.training.losses import Loss
from diagnoser.training.preparation import Prepared
from diagnoser.training.randomness import forked
from diagnoser.training.stacked.feeding import Fed
from diagnoser.training.stacked.unstackable import Unstackable
from diagnoser.training.workload import Workload

_SMOOTHING = "label_smoothing"


@dataclass(frozen=True)
class _OneLoss:
    """The loss of one trial's model on its batch."""

    workload: Workload
    ends: tuple[Workload, Workload] | None  # with label smoothing 0 and 1, where the trials differ in it

    def __call__(self, model: nn.Module, batch: Any, smoothing: Tensor | None) -> Tensor:
        if smoothing is None or self.ends is None:
            return self.workload.loss(model, batch)
        assert self.workload.layout is not None
        answer = self.workload.layout.call(model, batch)
        none, full = (workload.loss_of_answer(answer, batch) for workload in self.ends)
        return torch.lerp(none, full, smoothing.to(none.dtype))  # smoothed cross-entropy is linear in the smoothing


class StackedLoss:
    """Computes the losses of N trials whose programs are alike."""

    def __init__(self, prepared: Sequence[Prepared]) -> None:
        first = prepared[0]
        shares = [_smoothing(one.workload.loss_function) for one in prepared]
        differ = len(set(shares)) > 1
        self.smoothing = (
            torch.tensor(shares, dtype=torch.float64, device=first.workload.device) if differ else None
        )  # (N,)
        self._model = _copy(first.model)  # whatever it notes on itself is no trial's
        self._loss = _OneLoss(first.workload, _ends(first.workload) if differ else None)
        self._autocast = first.autocast
        self._on_device = first.workload.device.type != "cpu"
        self._places = list(_places(self._model))

    def __call__(
        self, state: Mapping[str, Tensor], fed: Fed, *, masks: AbstractContextManager[Any] | None = None
    ) -> Tensor:
        """Compute the losses, (N,); `state` holds weights and buffers by name, each (N, ...)."""

        def one(given: list[Tensor], parts: list[Tensor], smoothing: Tensor | None) -> Tensor:
            # What torch.func.functional_call does, less its checks and its putting back: a third of a small step.
            for (holder, key, _), tensor in zip(self._places, given, strict=True):
                holder[key] = tensor
            return self._loss(self._model, fed.rebuilt(parts), smoothing)

        in_dims = (0, None if fed.shared else 0, None if self.smoothing is None else 0)
        given = [state[name] for _, _, name in self._places]
        with self._autocast(), self._attention(), masks or nullcontext():
            losses: Tensor = vmap(one, in_dims=in_dims, randomness="error")(given, fed.parts, self.smoothing)
        return losses

    def _attention(self) -> AbstractContextManager[Any]:
        """On a CPU the fused attention has no batched form: torch would loop over the trials."""
        return nullcontext() if self._on_device else sdpa_kernel(SDPBackend.MATH)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these trials only."""
        if self.smoothing is not None:
            self.smoothing = self.smoothing[list(rows)]


def trained_parameters(prepared: Prepared) -> list[Tensor]:
    """List the parameters that get gradients. Raises Unstackable where they are not the optimizer's."""
    names = {name for name, p in prepared.model.named_parameters() if p.requires_grad}
    held = {id(p) for group in prepared.optimizer.param_groups for p in group["params"]}
    own = dict(prepared.model.named_parameters())
    if any(id(own[name]) not in held for name in names):
        raise Unstackable("the optimizer does not have all of the model's parameters")
    model, workload = _copy(prepared.model), prepared.workload
    parameters = {name: p for name, p in model.named_parameters() if name in names}
    batch = workload.to_device(next(iter(prepared.train.batches(seed=prepared.trial.seed, epoch=0))))
    with forked(0), prepared.autocast(), torch.enable_grad():
        loss = workload.loss(model, batch)
        if not loss.requires_grad:
            raise Unstackable("the loss does not depend on any parameter")
        gradients: Sequence[Tensor | None] = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    if any(gradient is not None and gradient.layout is not torch.strided for gradient in gradients):
        raise Unstackable("the model has sparse gradients")
    return [own[name] for name, gradient in zip(parameters, gradients, strict=True) if gradient is not None]


def _ends(workload: Workload) -> tuple[Workload, Workload]:
    """Return the workload without label smoothing, and with nothing else."""
    loss = workload.loss_function
    if loss is None or not loss.built_in or loss.family != "cross_entropy" or workload.step is not None:
        raise Unstackable("label smoothing differs, and the loss is not torch's cross-entropy")
    made = loss.function if isinstance(loss.function, functools.partial) else functools.partial(loss.function)
    none, full = (functools.partial(made.func, *made.args, **{**made.keywords, _SMOOTHING: end}) for end in (0.0, 1.0))
    return (
        replace(workload, loss_function=replace(loss, function=none)),
        replace(workload, loss_function=replace(loss, function=full)),
    )


def _smoothing(loss: Loss | None) -> float:
    function = loss.function if loss is not None else None
    return float(function.keywords.get(_SMOOTHING, 0.0)) if isinstance(function, functools.partial) else 0.0


def _copy(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except USER_STOPS as error:
        raise Unstackable(f"the model cannot be copied: {type(error).__name__}") from error


def _places(model: nn.Module) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield where each parameter and buffer is held, and the first of its names: tied ones are held twice."""
    names: dict[int, str] = {}
    for prefix, module in model.named_modules():
        for holder in (module._parameters, module._buffers):  # noqa: SLF001  # the only way to put others in
            for key, tensor in holder.items():
                if tensor is not None:
                    name = names.setdefault(id(tensor), f"{prefix}.{key}" if prefix else key)
                    yield holder, key, name
