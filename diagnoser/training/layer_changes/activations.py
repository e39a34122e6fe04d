"""What stands between the layers, and behind the last one?"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.training.call_trace import (
    RELU_LIKE,
    SIGMOID_LIKE,
    Event,
    activation_behind,
    last_layer,
    replace_module,
    rewrite,
    trace,
)
from diagnoser.training.layer_changes.weights import initialise
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

_REMOVABLE_AT_THE_END = (RELU_LIKE | SIGMOID_LIKE | {"softmax", "softmin"}) - {"prelu", "logsigmoid"}
_WITH_A_MEANING = frozenset({"softplus", "logsigmoid"})  # positive numbers, log probabilities: no matter of taste
_LEAKY_SLOPE = 0.01  # torch's own


def remove_final_activation(model: nn.Module, workload: Workload) -> None:
    """Let the last layer's numbers through as they are."""
    events = trace(model, workload)
    final = [e for e in events if e.final and e.activation in _REMOVABLE_AT_THE_END]
    if not final:
        raise Unsupported("no activation stands at the very end of the model")
    _replace(model, events, final[-1:], nn.Identity, lambda x: x)


def relu_activations(model: nn.Module, workload: Workload) -> None:
    """Replace hidden sigmoid and tanh by ReLU, with the initialisation that ReLU needs."""
    events = trace(model, workload)
    hidden = [e for e in events if e.activation in SIGMOID_LIKE and not e.final]
    if not hidden:
        raise Unsupported("there is no sigmoid or tanh between the layers")
    _initialise_before(events, hidden, "relu")
    _replace(model, events, hidden, nn.ReLU, F.relu)


def leaky_relu(model: nn.Module, workload: Workload) -> None:
    """Replace ReLU by a leaky one, except at the end."""
    events = trace(model, workload)
    found = [e for e in events if e.activation in {"relu", "relu6"} and not e.final]
    if not found:
        raise Unsupported("there is no ReLU between the layers")
    _replace(model, events, found, lambda: nn.LeakyReLU(_LEAKY_SLOPE), lambda x: F.leaky_relu(x, _LEAKY_SLOPE))


def insert_relu(model: nn.Module, workload: Workload) -> None:
    """Put a ReLU behind each hidden weight layer that has no activation behind it."""
    events = trace(model, workload)
    last, behind = last_layer(events), activation_behind(events)
    bare = {e.layer for e in events if e.layer is not None and e.layer is not last and e.layer not in behind}
    if not bare:
        raise Unsupported("every hidden layer has an activation behind it")
    for layer in bare:
        layer.register_forward_hook(lambda _, __, output: F.relu(output))


def gelu_activations(model: nn.Module, workload: Workload) -> None:
    """Replace the hidden activation by GELU, with Kaiming weights before it."""
    _exchange(model, workload, "gelu", nn.GELU, F.gelu)


def tanh_activations(model: nn.Module, workload: Workload) -> None:
    """Replace the hidden activation by tanh, with Xavier weights before it."""
    _exchange(model, workload, "tanh", nn.Tanh, torch.tanh)


def _exchange(
    model: nn.Module, workload: Workload, name: str, make: Callable[[], nn.Module], function: Callable[[Tensor], Tensor]
) -> None:
    """Put another activation in place of the hidden one, with weights that fit it.

    That is whatever is of ReLU's kind; beside these a sigmoid or tanh is a gate. Where there is none, sigmoid and tanh.
    """
    events = trace(model, workload)
    hidden = [e for e in events if not e.final and e.activation in (RELU_LIKE | SIGMOID_LIKE) - _WITH_A_MEANING]
    chosen = [e for e in hidden if e.activation in RELU_LIKE] or hidden
    others = [e for e in chosen if e.activation != name]
    if not others:
        raise Unsupported(f"no other activation than {name} stands between the layers")
    _initialise_before(events, others, name)
    _replace(model, events, others, make, function)


def _initialise_before(events: list[Event], wanted: list[Event], activation: str) -> None:
    """Draw anew the weights of the layers right before these activations."""
    numbers = {event.number for event in wanted}
    last: nn.Module | None = None
    for event in events:
        if event.layer is not None:
            last = event.layer
        elif last is not None:
            if event.number in numbers:
                initialise(last, activation)
            last = None


def _replace(
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
