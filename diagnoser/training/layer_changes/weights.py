"""With which weights does a model start, and which of them are trained?"""

from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.call_trace import RELU_LIKE, WEIGHT_LAYERS, activation_behind, last_layer, trace
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload


def zero_last_layer(model: nn.Module, workload: Workload) -> None:
    """Start with outputs that say nothing."""
    last = last_layer(trace(model, workload))
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
            initialise(module, behind.get(module))
        elif isinstance(module, nn.RNNBase | nn.RNNCellBase):
            for name, parameter in module.named_parameters(recurse=False):
                _initialise_recurrent(name, parameter)
        elif isinstance(module, nn.MultiheadAttention):
            module._reset_parameters()  # noqa: SLF001  # Xavier; torch has no public name for it
        else:
            reset: Any = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()


def unfreeze(model: nn.Module, workload: Workload) -> None:
    """Let every parameter be trained."""
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]
    if not frozen:
        raise Unsupported("no parameter is frozen")
    for parameter in frozen:
        parameter.requires_grad_(True)


@torch.no_grad()
def initialise(layer: nn.Module, activation: str | None) -> None:
    """Draw a layer's weights as the activation behind it wants them; its bias becomes 0."""
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
