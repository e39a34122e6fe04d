"""How does each transform change the layers of a live model? Raises Unsupported when there is nothing to change."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from diagnoser.training.call_trace import (
    RELU_LIKE,
    SIGMOID_LIKE,
    WEIGHT_LAYERS,
    Event,
    activation_behind,
    replace_module,
    rewrite,
    trace,
)
from diagnoser.training.modes import set_dropout
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform

_REMOVABLE_AT_THE_END = (RELU_LIKE | SIGMOID_LIKE | {"softmax", "softmin"}) - {"prelu", "logsigmoid"}
_DEFAULT_EPS = 1e-5  # torch's own, for every normalisation layer
_MOST_GROUPS, _LEAST_CHANNELS = 32, 4  # of GroupNorm: its paper's 32 groups, and groups large enough to have a spread
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)
_LEAKY_SLOPE = 0.01  # torch's own

Change = Callable[[nn.Module, Workload], None]


def zero_last_layer(model: nn.Module, workload: Workload) -> None:
    """Start with outputs that say nothing."""
    last = _last_layer(trace(model, workload))
    shared = [m for m in model.modules() if m is not last and getattr(m, "weight", None) is last.weight]
    if shared:
        raise Unsupported("the last layer shares its weight with another one")
    parameters: list[Any] = [last.weight, last.bias]
    with torch.no_grad():
        for parameter in parameters:
            if isinstance(parameter, Tensor):
                parameter.zero_()


def reinitialise(model: nn.Module, workload: Workload) -> None:
    """Kaiming before ReLU-like activations, Xavier elsewhere, biases 0; frozen parameters stay."""
    behind = activation_behind(trace(model, workload))
    for module in model.modules():
        if not any(p.requires_grad for p in module.parameters(recurse=False)):
            continue
        if isinstance(module, WEIGHT_LAYERS):
            _initialise(module, behind.get(module))
        elif isinstance(module, nn.RNNBase | nn.RNNCellBase):
            for name, parameter in module.named_parameters(recurse=False):
                _initialise_recurrent(name, parameter)
        elif isinstance(module, nn.MultiheadAttention):
            module._reset_parameters()  # noqa: SLF001  # Xavier; torch has no public name for it
        else:
            reset: Any = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()


def remove_final_activation(model: nn.Module, workload: Workload) -> None:
    """Let the last layer's numbers through as they are."""
    events = trace(model, workload)
    final = [e for e in events if e.final and e.activation in _REMOVABLE_AT_THE_END]
    if not final:
        raise Unsupported("no activation stands at the very end of the model")
    _replace_activation(model, events, final[-1:], nn.Identity, lambda x: x)


def relu_activations(model: nn.Module, workload: Workload) -> None:
    """Replace hidden sigmoid and tanh by ReLU, with the initialisation that ReLU needs."""
    events = trace(model, workload)
    hidden = [e for e in events if e.activation in SIGMOID_LIKE and not e.final]
    if not hidden:
        raise Unsupported("there is no sigmoid or tanh between the layers")
    numbers = {e.number for e in hidden}
    last: nn.Module | None = None
    for event in events:
        if event.layer is not None:
            last = event.layer
        elif last is not None:
            if event.number in numbers:
                _initialise(last, "relu")
            last = None
    _replace_activation(model, events, hidden, nn.ReLU, F.relu)


def leaky_relu(model: nn.Module, workload: Workload) -> None:
    """Replace ReLU by a leaky one, except at the end."""
    events = trace(model, workload)
    found = [e for e in events if e.activation in {"relu", "relu6"} and not e.final]
    if not found:
        raise Unsupported("there is no ReLU between the layers")
    _replace_activation(
        model, events, found, lambda: nn.LeakyReLU(_LEAKY_SLOPE), lambda x: F.leaky_relu(x, _LEAKY_SLOPE)
    )


def insert_relu(model: nn.Module, workload: Workload) -> None:
    """Put a ReLU behind each hidden weight layer that has no activation behind it."""
    events = trace(model, workload)
    last, behind = _last_layer(events), activation_behind(events)
    bare = {e.layer for e in events if e.layer is not None and e.layer is not last and e.layer not in behind}
    if not bare:
        raise Unsupported("every hidden layer has an activation behind it")
    for layer in bare:
        layer.register_forward_hook(lambda _, __, output: F.relu(output))


def halve_dropout(model: nn.Module, workload: Workload) -> None:
    """Halve every dropout probability."""
    _scaled_dropout(model, 0.5)


def no_dropout(model: nn.Module, workload: Workload) -> None:
    """Turn every dropout off."""
    _scaled_dropout(model, 0.0)


def group_norm(model: nn.Module, workload: Workload) -> None:
    """Replace BatchNorm by GroupNorm, which does not look at other rows."""
    found = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not found:
        raise Unsupported("the model has no BatchNorm")
    for module in found:
        channels = module.num_features
        fitting = [g for g in range(1, _MOST_GROUPS + 1) if channels % g == 0 and channels // g >= _LEAST_CHANNELS]
        new = nn.GroupNorm(max(fitting, default=1), channels, eps=module.eps, affine=module.affine)
        replace_module(model, module, new.to(workload.device))


def default_norm_eps(model: nn.Module, workload: Workload) -> None:
    """Set eps of every normalisation layer to torch's default."""
    changed = [module for module in model.modules() if isinstance(module, _NORMS) and module.eps != _DEFAULT_EPS]
    if not changed:
        raise Unsupported(f"every normalisation layer already has eps {_DEFAULT_EPS:g}")
    for module in changed:
        module.eps = _DEFAULT_EPS


def unfreeze(model: nn.Module, workload: Workload) -> None:
    """Let every parameter be trained."""
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]
    if not frozen:
        raise Unsupported("no parameter is frozen")
    for parameter in frozen:
        parameter.requires_grad_(True)


CHANGES: dict[Transform, Change] = {
    Transform.ZERO_LAST_LAYER: zero_last_layer,
    Transform.REINITIALISE: reinitialise,
    Transform.REMOVE_FINAL_ACTIVATION: remove_final_activation,
    Transform.RELU_ACTIVATIONS: relu_activations,
    Transform.LEAKY_RELU: leaky_relu,
    Transform.INSERT_RELU: insert_relu,
    Transform.HALVE_DROPOUT: halve_dropout,
    Transform.NO_DROPOUT: no_dropout,
    Transform.GROUP_NORM: group_norm,
    Transform.DEFAULT_NORM_EPS: default_norm_eps,
    Transform.UNFREEZE: unfreeze,
}


def _replace_activation(
    model: nn.Module,
    events: list[Event],
    wanted: list[Event],
    make: Callable[[], nn.Module],
    function: Callable[[Tensor], Tensor],
) -> None:
    """Replace modules when they make all wanted calls and no others; else each call by its number."""
    numbers = {event.number for event in wanted}
    others = {e.module for e in events if e.activation is not None and e.number not in numbers}
    modules = {e.module for e in wanted if e.module is not None and e.module is not model}
    if modules and not modules & others and all(e.module is not None for e in wanted):
        for module in modules:
            replace_module(model, module, make())
        return
    rewrite(model, {e.number: function for e in wanted if e.number is not None})


def _last_layer(events: list[Event]) -> nn.Module:
    layers = [event.layer for event in events if event.layer is not None]
    if not layers:
        raise Unsupported("the model calls no linear or convolutional layer")
    return layers[-1]


@torch.no_grad()
def _initialise(layer: nn.Module, activation: str | None) -> None:
    weight = layer.weight
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        return
    if activation in RELU_LIKE:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")
    else:
        nn.init.xavier_uniform_(weight)
    if isinstance(layer.bias, Tensor):
        layer.bias.zero_()


@torch.no_grad()
def _initialise_recurrent(name: str, parameter: Tensor) -> None:
    if parameter.ndim < 2:
        parameter.zero_()
    elif "hh" in name:
        nn.init.orthogonal_(parameter)
    else:
        nn.init.xavier_uniform_(parameter)


def _scaled_dropout(model: nn.Module, factor: float) -> None:
    if set_dropout(model, factor) == 0:
        raise Unsupported("the model has no dropout layer")
