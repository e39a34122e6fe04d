"""What do gradients, weights and activations do during a run? Looked at on a few updates, with few transfers."""

from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training import evaluation
from diagnoser.training.modes import batch_statistics
from diagnoser.training.preparation import Prepared
from diagnoser.training.randomness import forked
from diagnoser.trials import LayerTrace

LOOKS = 12  # at the layers in one run: three are needed to judge, and each costs about two updates
_FIRST_EVERY = 10  # updates: looks are never closer than this
_CHECK_ROWS = 256  # for units that no row switches on
_MOST_LAYERS = 64  # weight tensors that are followed, evenly spread over the network
_SATURATED = {"Sigmoid": 5.0, "Tanh": 2.5}  # |input| beyond which the slope is < 0.7 % and < 2.7 % (CATALOGUE)
_RELU_LIKE = (nn.ReLU, nn.ReLU6)


class Instruments:
    """Follows the weight tensors of one model; cheap between two looks."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.every = max(_FIRST_EVERY, -(-max(1, prepared.updates) // LOOKS))
        weights = [(n, p) for n, p in prepared.model.named_parameters() if p.requires_grad and p.ndim >= 2]
        if len(weights) > _MOST_LAYERS:
            kept = torch.unique(torch.linspace(0, len(weights) - 1, _MOST_LAYERS).long()).tolist()
            weights = [weights[i] for i in kept]
        self.names = [name.rpartition(".")[0] or name for name, _ in weights]
        self.weights: list[Tensor] = [parameter for _, parameter in weights]
        self.trainable = [p for p in prepared.model.parameters() if p.requires_grad]
        self.updates: list[int] = []
        self.rows: list[Tensor] = []  # per look: (3, layers) gradient norm, weight norm, update norm
        self.activations: list[dict[str, tuple[Tensor | None, Tensor | None]]] = []
        self._before: list[Tensor] | None = None
        self._gradient_norms: Tensor | None = None
        self._check: Any = None  # set with what lies behind the activations
        self._behind = self._activation_behind()

    def gradient_norm(self, known: Tensor | None) -> Tensor:
        """Return the norm of the whole gradient, on the device."""
        if known is not None:
            return known.detach()
        gradients = [p.grad for p in self.trainable if p.grad is not None]
        if not gradients:
            return torch.zeros((), device=self.prepared.workload.device)
        total: Tensor = torch.stack(_norms(gradients)).norm()
        return total

    def before_step(self, update: int) -> None:
        """Note gradients and weights when this update is one that is looked at."""
        if update % self.every or not self.weights:
            self._before = None
            return
        zero = torch.zeros((), device=self.weights[0].device)
        with torch.no_grad():
            self._before = [weight.detach().clone() for weight in self.weights]
            self._gradient_norms = torch.stack(
                [weight.grad.norm().float() if weight.grad is not None else zero for weight in self.weights]
            )

    @torch.no_grad()
    def after_step(self, update: int) -> None:
        """Note what the step changed, and look at the activations on the check batch."""
        if self._before is None or self._gradient_norms is None:
            return
        weight_norms = torch.stack(_norms(self._before)).float()
        moved = torch.stack(_norms([now - then for now, then in zip(self.weights, self._before, strict=True)])).float()
        self.updates.append(update)
        self.rows.append(torch.stack([self._gradient_norms, weight_norms, moved]))
        self.activations.append(self._look_at_activations())
        self._before = None

    def traces(self) -> tuple[LayerTrace, ...]:
        """Return one trace per weight tensor."""
        if not self.rows:
            return ()
        table = torch.stack(self.rows).cpu()  # (looks, 3, layers)
        traces = []
        for i, name in enumerate(self.names):
            gradient, weight, moved = table[:, 0, i], table[:, 1, i], table[:, 2, i]
            ratio = torch.where(weight > 0, moved / weight, torch.where(moved > 0, torch.inf, 0.0))
            seen = [look.get(name, (None, None)) for look in self.activations]
            dead = [float(d) for d, _ in seen if d is not None]
            saturated = [float(s) for _, s in seen if s is not None]
            traces.append(
                LayerTrace(
                    layer=name,
                    updates=tuple(self.updates),
                    gradient_norm=tuple(gradient.tolist()),
                    weight_norm=tuple(weight.tolist()),
                    update_ratio=tuple(ratio.tolist()),
                    dead_share=tuple(dead) if len(dead) == len(seen) else (),
                    saturated_share=tuple(saturated) if len(saturated) == len(seen) else (),
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

    def _look_at_activations(self) -> dict[str, tuple[Tensor | None, Tensor | None]]:
        found: dict[str, tuple[Tensor | None, Tensor | None]] = {}
        layout = self.prepared.workload.layout
        if not self._behind or layout is None:
            return found

        def hook(module: nn.Module, given: Any, output: Any) -> None:
            name = self._behind[module]
            if isinstance(module, _RELU_LIKE):
                rows = (
                    output.movedim(1, -1).flatten(0, -2) if output.ndim > 3 else output.flatten(0, -2)
                )  # (rows, units)
                found[name] = ((rows <= 0).all(0).float().mean(), None)
            else:
                beyond = given[0].abs() > _SATURATED[type(module).__name__]
                found[name] = (None, beyond.float().mean())

        handles = [module.register_forward_hook(hook) for module in self._behind]
        try:
            with batch_statistics(self.prepared.model), forked(0):
                layout.call(self.prepared.model, self._check)
        finally:
            for handle in handles:
                handle.remove()
        return found


def _norms(found: list[Tensor]) -> list[Tensor]:
    return list(torch._foreach_norm(found))  # noqa: SLF001  # as clip_grad_norm_ does
