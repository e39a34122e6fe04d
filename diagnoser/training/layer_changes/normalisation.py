"""Which normalisation does a model have, and between which layers?"""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from diagnoser.training.call_trace import SOFTMAX_LIKE, activation_behind, last_layer, replace_module, trace
from diagnoser.training.layer_changes.passage import NORMS, Passage, look
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

_DEFAULT_EPS = 1e-5  # torch's own, for every normalisation layer
_MOST_GROUPS, LEAST_CHANNELS = 32, 4  # of GroupNorm: its paper's 32 groups, and groups large enough to have a spread


def group_norm(model: nn.Module, workload: Workload) -> None:
    """Replace BatchNorm by GroupNorm, which does not look at other rows."""
    found = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not found:
        raise Unsupported("the model has no BatchNorm")
    for module in found:
        new = nn.GroupNorm(_groups(module.num_features), module.num_features, eps=module.eps, affine=module.affine)
        replace_module(model, module, new.to(workload.device))


def default_norm_eps(model: nn.Module, workload: Workload) -> None:
    """Set eps of every normalisation layer to torch's default."""
    found: list[Any] = [module for module in model.modules() if isinstance(module, NORMS)]
    changed = [module for module in found if module.eps not in (None, _DEFAULT_EPS)]  # None: RMSNorm's own
    if not changed:
        raise Unsupported(f"every normalisation layer already has eps {_DEFAULT_EPS:g}")
    for module in changed:
        module.eps = _DEFAULT_EPS


def insert_norm(model: nn.Module, workload: Workload) -> None:
    """Normalise between each hidden weight layer and its activation, where nothing does so yet.

    LayerNorm over the units of a linear layer, GroupNorm over the channels of a convolution: neither needs a batch.
    A layer is hidden if an activation is behind it and it is not the last: what leads to a sum, a product or the
    softmax of an attention is not.
    """
    events, passage = trace(model, workload), look(model, workload)
    last, normed = last_layer(events), _normalised(passage)
    found = [
        (layer, norm)
        for layer, activation in activation_behind(events).items()
        if activation not in SOFTMAX_LIKE
        and layer is not last
        and layer not in normed
        and (norm := _for(layer)) is not None
    ]
    if not found:
        raise Unsupported("no hidden layer is without a normalisation")
    for layer, norm in found:
        layer.add_module("norm_behind", norm)
        layer.register_forward_hook(_normalise)


def _for(layer: nn.Module) -> nn.Module | None:
    """Make the normalisation that fits a weight layer; None: too few units to have a spread."""
    units = getattr(layer, "out_features", None) or getattr(layer, "out_channels", None)
    if not isinstance(units, int) or units < LEAST_CHANNELS or not isinstance(layer.weight, Tensor):
        return None
    if isinstance(layer, nn.Linear):
        return nn.LayerNorm(units).to(layer.weight)
    return nn.GroupNorm(_groups(units), units).to(layer.weight) if hasattr(layer, "out_channels") else None


def _normalised(passage: Passage) -> set[nn.Module | None]:
    """Weight layers with a normalisation behind them, be it behind their activation, or right before them."""
    found: set[nn.Module | None] = set()
    for place, call in passage.of(NORMS):
        before = passage.weights_before(place)
        found |= {before[0].module} if before is not None else set()
        found |= {one.module for one in passage.calls if any(given is call.made for given in one.given)}
    return found


def _groups(channels: int) -> int:
    fitting = [g for g in range(1, _MOST_GROUPS + 1) if channels % g == 0 and channels // g >= LEAST_CHANNELS]
    return max(fitting, default=1)


def _normalise(layer: Any, _: Any, made: Tensor) -> Any:
    return layer.norm_behind(made)
