"""How much is dropped, and where?"""

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from diagnoser.training.call_trace import WEIGHT_LAYERS
from diagnoser.training.layer_changes.passage import layer_of, look
from diagnoser.training.modes import set_dropout
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

USUAL = 0.5  # in front of a dense layer: Srivastava et al. 2014
HALF = 0.5  # whoever meant to keep this much or more wrote a share above it, if kept and dropped were confused


def halve_dropout(model: nn.Module, workload: Workload) -> None:
    """Halve every dropout probability."""
    _scaled(model, 0.5)


def no_dropout(model: nn.Module, workload: Workload) -> None:
    """Turn every dropout off."""
    _scaled(model, 0.0)


def insert_dropout(model: nn.Module, workload: Workload) -> None:
    """Drop half of what the last weight layer is given."""
    passage = look(model, workload)
    layers = passage.of(WEIGHT_LAYERS)
    if len({layer_of(call) for _, call in layers}) < 2:
        raise Unsupported("the model has no hidden layer whose units could be dropped")
    place, last = layers[-1]
    before = layers[-2][0]
    if any(before < at < place for at, call in passage.of(_DropoutNd) if getattr(call.module, "p", 0.0) > 0):
        raise Unsupported("a dropout layer stands before the last weight layer already")
    put_in_front(layer_of(last), USUAL)


def invert_dropout(model: nn.Module, workload: Workload) -> None:
    """Let every dropout above one half keep what it drops now, and drop what it keeps."""
    found = [(module, name, p) for module, name, p in _shares(model) if HALF < p < 1]
    if not found:
        raise Unsupported("no dropout layer drops more than half")
    for module, name, p in found:
        setattr(module, name, 1 - p)


def put_in_front(layer: nn.Module, share: float) -> None:
    """Let a weight layer drop a share of what it is given."""
    if hasattr(layer, "dropout_in_front"):
        raise Unsupported("a dropout was put there before")
    layer.add_module("dropout_in_front", nn.Dropout(share))
    layer.register_forward_pre_hook(_dropped)


def _dropped(layer: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (layer.dropout_in_front(args[0]), *args[1:])


def _shares(model: nn.Module) -> Iterator[tuple[nn.Module, str, float]]:
    """Every place where a probability is kept, as `modes.set_dropout` knows them."""
    for module in model.modules():
        name = "p" if isinstance(module, _DropoutNd) else "dropout"
        value = getattr(module, name, None)
        if isinstance(value, float | int) and not isinstance(value, bool):
            yield module, name, value


def _scaled(model: nn.Module, factor: float) -> None:
    if set_dropout(model, factor) == 0:
        raise Unsupported("the model has no dropout layer")
