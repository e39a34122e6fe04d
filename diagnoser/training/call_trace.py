"""What does a model do in one forward pass: its weight layers and activations, in the order of their calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from diagnoser.training.layout import main_tensor
from diagnoser.training.modes import batch_statistics
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

WEIGHT_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Bilinear,
)
RELU_LIKE = frozenset(
    {
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "silu",
        "mish",
        "hardswish",
        "softplus",
        "prelu",
        "rrelu",
        "celu",
    }
)
SIGMOID_LIKE = frozenset({"sigmoid", "tanh", "hardsigmoid", "hardtanh", "softsign", "logsigmoid", "expit"})
SOFTMAX_LIKE = frozenset({"softmax", "softmin", "log_softmax"})
_ACTIVATIONS = RELU_LIKE | SIGMOID_LIKE | SOFTMAX_LIKE


@dataclass(frozen=True, kw_only=True)
class Event:
    """One call: of a weight layer, or of an activation (a module's or a function's)."""

    layer: nn.Module | None  # the weight layer; None: an activation
    activation: str | None  # "relu", "sigmoid"
    number: int | None  # of the activation call within the pass
    module: nn.Module | None  # the activation module that made the call; None: a function
    final: bool  # its result is what the model answers


class _Tracing(TorchFunctionMode):
    """Notes activation calls; the module at work is known from hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[nn.Module | None, str | None, nn.Module | None, Tensor | None]] = []
        self.inside: list[nn.Module] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = activation_name(func)
        if name is not None:
            module = self.inside[-1] if self.inside and _is_leaf(self.inside[-1]) else None
            self.found.append((None, name, module, result if isinstance(result, Tensor) else None))
        return result


def trace(model: nn.Module, workload: Workload) -> list[Event]:
    """Run one batch and list the calls. Raises what the model raises."""
    tracing = _Tracing()

    def enter(module: nn.Module, _: Any) -> None:
        tracing.inside.append(module)

    def leave(module: nn.Module, _: Any, __: Any) -> None:
        tracing.inside.pop()
        if isinstance(module, WEIGHT_LAYERS):
            tracing.found.append((module, None, None, None))

    handles = [h for m in model.modules() for h in (m.register_forward_pre_hook(enter), m.register_forward_hook(leave))]
    batch = workload.to_device(workload.train.head(2))
    try:
        with batch_statistics(model), torch.no_grad(), forked(0), tracing:
            answer = forward_once(model, workload, batch)
    finally:
        for handle in handles:
            handle.remove()
    output = main_tensor(answer)
    events: list[Event] = []
    number = 0
    for layer, name, module, result in tracing.found:
        final = output is not None and result is not None and same_values(result, output)
        events.append(
            Event(layer=layer, activation=name, number=None if name is None else number, module=module, final=final)
        )
        number += name is not None
    return events


def activation_behind(events: Sequence[Event]) -> dict[nn.Module, str]:
    """Say which activation follows each weight layer, before the next one."""
    found: dict[nn.Module, str] = {}
    last: nn.Module | None = None
    for event in events:
        if event.layer is not None:
            last = event.layer
        elif last is not None and event.activation is not None:
            found.setdefault(last, event.activation)
            last = None
    return found


def last_layer(events: Sequence[Event]) -> nn.Module:
    """Return the weight layer that is called last."""
    layers = [event.layer for event in events if event.layer is not None]
    if not layers:
        raise Unsupported("the model calls no linear or convolutional layer")
    return layers[-1]


def activation_name(func: Any) -> str | None:
    """Name an activation function, whichever way it was called (torch.relu, F.relu, x.relu_())."""
    name = getattr(func, "__name__", "").rstrip("_")
    name = name.removeprefix("special_")
    return name if name in _ACTIVATIONS else None


class _Rewriting(TorchFunctionMode):
    """Replaces the activation calls of given numbers within one pass."""

    def __init__(self, plan: Mapping[int, Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        self.plan = plan
        self.number = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if activation_name(func) is None:
            return func(*args, **(kwargs or {}))
        replacement = self.plan.get(self.number)
        self.number += 1
        return (
            func(*args, **(kwargs or {})) if replacement is None else replacement(args[0] if args else kwargs["input"])
        )


def rewrite(model: nn.Module, plan: Mapping[int, Callable[[Tensor], Tensor]]) -> None:
    """Let the model's forward replace activation calls by their number: for functions in the code of the user.

    By a class of its own and not on the instance: a function that holds on to the model could not be stacked.
    """
    kind = type(model)
    original: Callable[..., Any] | None = vars(model).get("forward")  # of a model that was changed before

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with _Rewriting(plan):
            return kind.forward(self, *args, **kwargs) if original is None else original(*args, **kwargs)

    vars(model).pop("forward", None)
    model.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another, wherever it is registered."""
    for parent in model.modules():
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)


def forward_once(model: nn.Module, workload: Workload, batch: Any) -> Any:
    """Return what the model answers for a batch, whoever has to call it. Raises what the model raises."""
    if workload.layout is not None and workload.layout.callable:
        return workload.layout.call(model, batch)
    answers: list[Any] = []
    handle = model.register_forward_hook(lambda _, __, output: answers.append(output))
    try:
        workload.loss(model, batch)
    finally:
        handle.remove()
    return answers[-1] if answers else None


def same_values(result: Tensor, output: Tensor) -> bool:
    """Tell whether a tensor is the answer, or a view of all of it."""
    return result is output or (result.data_ptr() == output.data_ptr() and result.numel() == output.numel() > 0)


def _is_leaf(module: nn.Module) -> bool:
    return not list(module.children()) and not list(module.parameters())
