"""In which order do weights, normalisation, activation and dropout stand?"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from diagnoser.training.call_trace import WEIGHT_LAYERS
from diagnoser.training.layer_changes.dropout import put_in_front
from diagnoser.training.layer_changes.passage import Passage, layer_of, look, subclassed
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload


def move_norm(model: nn.Module, workload: Workload) -> None:
    """Put each BatchNorm right behind the weight layer that feeds it; one that answers for the model is left out.

    Names, parameters and statistics stay where they were: the module is only called in another place.
    """
    passage = look(model, workload)
    found = passage.of(_BatchNorm)
    if not found:
        raise Unsupported("the model has no BatchNorm")
    last = [layer_of(call) for _, call in found if passage.ends_in(call) and passage.is_called_once(call.module)]
    moves = _moves(passage, [place for place, call in found if call.module not in last])
    if not moves and not last:
        raise Unsupported("no BatchNorm stands behind an activation, or right before the output")
    for norm in (*last, *(norm for _, norm in moves)):
        subclassed(norm, __call__=_hand_on)
    for layer, norm in moves:
        vars(layer)["norms_behind"] = (norm,)  # in a tuple: no part of this layer, so that its name stays
        layer.register_forward_hook(_normalise)


def move_dropout(model: nn.Module, workload: Workload) -> None:
    """Drop nothing before the last BatchNorm, but in front of the last weight layer, with the highest of the shares."""
    passage = look(model, workload)
    norms, layers = passage.of(_BatchNorm), passage.of(WEIGHT_LAYERS)
    if not norms:
        raise Unsupported("the model has no BatchNorm")
    last_norm, (at, last) = norms[-1][0], layers[-1] if layers else (-1, None)
    drops = [(place, call.module) for place, call in passage.of(_DropoutNd) if isinstance(call.module, _DropoutNd)]
    early = {module for place, module in drops if place < last_norm and module.p > 0}
    if not early:
        raise Unsupported("no dropout layer stands before a BatchNorm")
    if last is None or at < last_norm:
        raise Unsupported("behind the last BatchNorm there is no layer that dropout could stand before")
    late = any(place > last_norm and module.p > 0 and module not in early for place, module in drops)
    share = max(module.p for module in early)
    for module in early:
        module.p = 0.0
    if not late:
        put_in_front(layer_of(last), share)


def _moves(passage: Passage, places: Sequence[int]) -> list[tuple[nn.Module, _BatchNorm]]:
    """Pair weight layers with the BatchNorms that shall stand right behind them."""
    moves = []
    for place in places:
        norm, before = layer_of(passage.calls[place]), passage.weights_before(place)
        if before is None or not isinstance(norm, _BatchNorm) or not passage.is_called_once(norm):
            continue
        call, steps = before
        fits = call.made.ndim > 1 and call.made.shape[1] == norm.num_features
        if steps and fits and passage.is_called_once(call.module):
            moves.append((layer_of(call), norm))
    return moves


def _hand_on(_: nn.Module, input: Tensor) -> Tensor:  # torch's name for it
    """What a BatchNorm does where it used to stand."""
    return input


def _normalise(layer: Any, _: Any, made: Tensor) -> Any:
    """What a weight layer does last."""
    for norm in layer.norms_behind:
        made = nn.Module.__call__(norm, made)
    return made
