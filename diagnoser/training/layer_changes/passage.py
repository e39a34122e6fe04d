"""Which layer or function hands its result to which, in one forward pass?

Layers are seen through hooks, functions through a TorchFunctionMode: what a layer does inside is its own affair. Every
tensor is kept, for an id is a name only while its tensor lives. Does not cover: compiled and scripted models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from diagnoser.training.call_trace import WEIGHT_LAYERS, activation_name, forward_once, same_values
from diagnoser.training.layout import main_tensor
from diagnoser.training.modes import batch_statistics
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_SEEN_AS_ONE = (*WEIGHT_LAYERS, *NORMS, _DropoutNd)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a layer, or of a function outside of all layers."""

    module: nn.Module | None  # a weight layer, a normalisation or a dropout; None: a function
    function: str
    given: tuple[Tensor, ...]
    made: Tensor

    @property
    def leaves_the_units_apart(self) -> bool:
        """Whether it works on each channel by itself: an activation, a pooling or a dropout."""
        if self.module is not None:
            return isinstance(self.module, _DropoutNd)
        return "pool" in self.function or "dropout" in self.function or self.function in _ACTIVATIONS


_ACTIVATIONS = "an activation"


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The calls of one pass in their order, and what came out."""

    calls: tuple[Call, ...]
    output: Tensor | None

    def of(self, kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> list[tuple[int, Call]]:
        """List the calls of a kind of layer, with their places."""
        return [(place, call) for place, call in enumerate(self.calls) if isinstance(call.module, kind)]

    def is_called_once(self, module: nn.Module | None) -> bool:
        """Tell whether a layer takes part in one place only."""
        return sum(call.module is module for call in self.calls) == 1

    def weights_before(self, place: int) -> tuple[Call, int] | None:
        """Follow what a call was given back to the weight layer that made it, and count the steps between.

        Only over what leaves the units apart, and only where nobody else reads what is handed on.
        """
        steps, wanted = 0, self.calls[place].given[0]
        if not self._has_one_reader(wanted):
            return None
        for before in reversed(range(place)):
            call = self.calls[before]
            if call.made is not wanted:
                continue
            if isinstance(call.module, WEIGHT_LAYERS):
                return call, steps
            if not call.leaves_the_units_apart or not self._has_one_reader(call.given[0]):
                return None
            steps, wanted = steps + 1, call.given[0]
        return None

    def ends_in(self, call: Call) -> bool:
        """Tell whether what a call made is what the model answers."""
        return self.output is not None and same_values(call.made, self.output)

    def _has_one_reader(self, tensor: Tensor) -> bool:
        """What changes a tensor in place hands it on, and is no reader beside the next one."""
        readers = [call for call in self.calls if any(one is tensor for one in call.given)]
        return sum(call.made is not tensor for call in readers) == 1


class _Listening(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.inside: list[nn.Module] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        made = result[0] if isinstance(result, tuple) and result else result
        if not self.inside and isinstance(made, Tensor):
            given = _tensors(args, kwargs or {})
            name = _ACTIVATIONS if activation_name(func) is not None else getattr(func, "__name__", "")
            if given:
                self.calls.append(Call(module=None, function=name, given=given, made=made))
        return result

    def enter(self, module: nn.Module, *_: Any) -> None:
        self.inside.append(module)

    def leave(self, module: nn.Module, args: Any, kwargs: Any, made: Any) -> None:
        self.inside.pop()
        given = _tensors(args, kwargs)
        if not self.inside and given and isinstance(made, Tensor):
            self.calls.append(Call(module=module, function="", given=given, made=made))


def look(model: nn.Module, workload: Workload) -> Passage:
    """Run one small batch and note the calls. Raises what the model raises."""
    listening = _Listening()
    handles = [
        handle
        for module in model.modules()
        if isinstance(module, _SEEN_AS_ONE)
        for handle in (
            module.register_forward_pre_hook(listening.enter),
            module.register_forward_hook(listening.leave, with_kwargs=True),
        )
    ]
    batch = workload.to_device(workload.train.head(2))
    try:
        with batch_statistics(model), torch.no_grad(), forked(0), listening:
            answer = forward_once(model, workload, batch)
    finally:
        for handle in handles:
            handle.remove()
    return Passage(calls=tuple(listening.calls), output=main_tensor(answer))


def layer_of(call: Call) -> nn.Module:
    """Return the layer of a call that is one."""
    assert call.module is not None
    return call.module


def subclassed(module: nn.Module, **methods: Callable[..., Any]) -> None:
    """Give one module other methods, by a class of its own: a method on the instance could not be stacked."""
    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__})


def _tensors(args: Any, kwargs: Any) -> tuple[Tensor, ...]:
    """List the tensors among arguments, lists of them included (torch.cat)."""
    found: list[Tensor] = []
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [one for one in value if isinstance(one, Tensor)]
    return tuple(found)
