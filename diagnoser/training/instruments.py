"""What do gradients, weights and activations do during a run? Looked at on a few updates, with few transfers."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training import evaluation, looks
from diagnoser.training.batches import length
from diagnoser.training.modes import batch_statistics
from diagnoser.training.preparation import Prepared
from diagnoser.training.randomness import forked
from diagnoser.trials import LayerTrace

_CHECK_ROWS = 256  # for units that no row switches on
_MOST_LAYERS = 64  # weight tensors that are followed, evenly spread over the network
_SATURATED = {"Sigmoid": 5.0, "Tanh": 2.5}  # |input| beyond which the slope is < 0.7 % and < 2.7 % (CATALOGUE)
_RELU_LIKE = (nn.ReLU, nn.ReLU6)


class Instruments:
    """Follows the weight tensors of one model; cheap between two looks."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        weights = [(n, p) for n, p in prepared.model.named_parameters() if p.requires_grad and p.ndim >= 2]
        if len(weights) > _MOST_LAYERS:
            kept = torch.unique(torch.linspace(0, len(weights) - 1, _MOST_LAYERS).long()).tolist()
            weights = [weights[i] for i in kept]
        self.names = [name.rpartition(".")[0] or name for name, _ in weights]
        self.weights: list[Tensor] = [parameter for _, parameter in weights]
        self.trainable = [p for p in prepared.model.parameters() if p.requires_grad]
        self.updates: list[int] = []
        self.norms: list[list[Tensor]] = []  # per look: of each layer's gradient, weights, update
        self.activation_updates: list[int] = []
        self.shares: list[dict[str, Tensor]] = []  # per look: of dead or saturated units, by layer
        self._before: list[Tensor] | None = None
        self._gradient_norms: list[Tensor] = []
        self._norms_asked = 0
        self._check: Any = None  # set with what lies behind the activations
        self._behind = self._activation_behind()
        self.norm_every = looks.norm_every(prepared)
        self.weights_at = looks.at_weights(prepared)
        self.activations_at = looks.at_activations(prepared, rows=length(self._check))

    def gradient_norm(self, known: Tensor | None) -> list[Tensor] | None:
        """Return norms whose norm is that of the whole gradient, at every `norm_every`-th call; else None.

        They stay on the device, and are put together when the run is over: between two updates each operation costs
        several times what it costs in a loop of its own.
        """
        asked, self._norms_asked = self._norms_asked, self._norms_asked + 1
        if asked % self.norm_every:
            return None
        if known is not None:
            return [known.detach()]
        return _norms([p.grad for p in self.trainable if p.grad is not None])

    def gradient_norms(
        self, taken: Sequence[Sequence[Tensor] | None], *, at_most: int
    ) -> tuple[tuple[float, ...], int]:
        """Put together what `gradient_norm` gave, update by update: norms, and the updates between two of them."""
        every = self.norm_every
        every *= max(1, -(-len(taken[::every]) // at_most))
        parts = [part for part in taken[::every] if part is not None]
        numbers = [*itertools.chain(*parts)]
        if not numbers:  # no parameter ever had a gradient
            return (0.0,) * len(parts), every
        return tuple(float(part.norm()) for part in _fetched(numbers).split([len(part) for part in parts])), every

    def before_step(self, update: int) -> None:
        """Note gradients and weights when this update is one that is looked at."""
        if update not in self.weights_at or not self.weights:
            return
        with torch.no_grad():
            self._before = [weight.detach().clone() for weight in self.weights]
            self._gradient_norms = _norms([w.grad if w.grad is not None else w.new_zeros(()) for w in self.weights])

    def after_step(self, update: int) -> None:
        """Note what the step changed, and look at the activations on the check batch."""
        before, self._before = self._before, None
        if before is not None:
            with torch.no_grad():
                weight_norms = _norms(before)
                torch._foreach_sub_(before, self.weights)
                self.norms.append([*self._gradient_norms, *weight_norms, *_norms(before)])
            self.updates.append(update)
        if self._behind and update in self.activations_at:
            with torch.no_grad():
                self.shares.append(self._look_at_activations())
            self.activation_updates.append(update)

    def traces(self) -> tuple[LayerTrace, ...]:
        """Return one trace per weight tensor."""
        if not self.norms:
            return ()
        checks, layers = len(self.updates), len(self.names)
        named = [(name, share) for found in self.shares for name, share in found.items()]
        fetched = _fetched([*itertools.chain(*self.norms), *(share for _, share in named)])
        table = fetched[: checks * 3 * layers].reshape(checks, 3, layers)
        shares: dict[str, list[float]] = {}
        for (name, _), share in zip(named, fetched[checks * 3 * layers :].tolist(), strict=True):
            shares.setdefault(name, []).append(share)
        saturating = {name for module, name in self._behind.items() if type(module).__name__ in _SATURATED}
        traces = []
        for i, name in enumerate(self.names):
            gradient, weight, moved = table[:, 0, i], table[:, 1, i], table[:, 2, i]
            ratio = torch.where(weight > 0, moved / weight, torch.where(moved > 0, torch.inf, 0.0))
            of_units = tuple(shares.get(name, ()))
            if len(of_units) != len(self.activation_updates):
                of_units = ()  # a module that is not called at every forward pass
            traces.append(
                LayerTrace(
                    layer=name,
                    updates=tuple(self.updates),
                    gradient_norm=tuple(gradient.tolist()),
                    weight_norm=tuple(weight.tolist()),
                    update_ratio=tuple(ratio.tolist()),
                    activation_updates=tuple(self.activation_updates) if of_units else (),
                    dead_share=() if name in saturating else of_units,
                    saturated_share=of_units if name in saturating else (),
                )
            )
        return tuple(traces)

    def _activation_behind(self) -> dict[nn.Module, str]:
        """Find, for each activation module, the weight layer whose output reaches it first: by order of calls."""
        model, workload = self.prepared.model, self.prepared.workload
        layers = {module: name for name, module in model.named_modules() if name in set(self.names)}
        wanted = {m for m in model.modules() if isinstance(m, _RELU_LIKE) or type(m).__name__ in _SATURATED}
        calls: dict[nn.Module, int] = {}
        behind: dict[nn.Module, str] = {}
        last: list[str] = []

        def hook(module: nn.Module, _: Any, __: Any) -> None:
            if module in layers:
                last[:] = [layers[module]]
            elif last:
                behind.setdefault(module, last[0])
                calls[module] = calls.get(module, 0) + 1
                last.clear()

        if not wanted or workload.layout is None or not workload.layout.callable:
            return {}
        handles = [module.register_forward_hook(hook) for module in (*layers, *wanted)]
        try:
            self._check = workload.to_device(
                self.prepared.train.take(
                    evaluation.check_rows(self.prepared.train, _CHECK_ROWS).to(self.prepared.train.device_of_rows())
                )
            )
            with batch_statistics(model), torch.no_grad(), forked(0):
                workload.layout.call(model, self._check)
        finally:
            for handle in handles:
                handle.remove()
        return {module: name for module, name in behind.items() if calls.get(module) == 1}

    def _look_at_activations(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        layout = self.prepared.workload.layout
        if not self._behind or layout is None:
            return found

        def hook(module: nn.Module, given: Any, output: Tensor) -> None:
            beyond = _SATURATED.get(type(module).__name__)
            found[self._behind[module]] = _dead_share(output) if beyond is None else _share_beyond(given[0], beyond)

        handles = [module.register_forward_hook(hook) for module in self._behind]
        try:
            with batch_statistics(self.prepared.model), forked(0):
                layout.call(self.prepared.model, self._check)
        finally:
            for handle in handles:
                handle.remove()
        return found


def _dead_share(output: Tensor) -> Tensor:
    """Share of the units that no row switches on; units are channels of pictures and videos, else the last axis."""
    if output.ndim < 2:
        return (output.amax() <= 0).float()
    unit = 1 if output.ndim > 3 else output.ndim - 1
    over_rows = output.amax(0)  # first, and alone: at once over all axes is up to 30 times as slow on a CPU
    unit -= 1
    highest = over_rows.amax([axis for axis in range(over_rows.ndim) if axis != unit]) if output.ndim > 2 else over_rows
    return (highest <= 0).float().mean()


def _share_beyond(values: Tensor, limit: float) -> Tensor:
    return (values.abs() > limit).float().mean()


def _norms(found: list[Tensor]) -> list[Tensor]:
    dense = [tensor.coalesce().values() if tensor.is_sparse else tensor for tensor in found]
    if not dense:
        return []
    return list(torch._foreach_norm(dense))  # noqa: SLF001  # as clip_grad_norm_ does


def _fetched(numbers: Sequence[Tensor]) -> Tensor:
    """Bring single numbers to the host, with one transfer."""
    return torch.stack([number.float() for number in numbers]).cpu()
