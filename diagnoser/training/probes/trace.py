"""What happens in one forward pass: which layers, in which order, what stands between them, and what came out last?

Modules are seen through hooks, functions (`torch.relu(x)` in a forward) through a TorchFunctionMode. Each tensor
carries a note of the weight layers whose output reached it along a linear path; an activation that consumes the tensor
is theirs. Covers: everything that goes through torch's Python functions. Does not cover: compiled and scripted models,
whose inner functions are not seen, and the inside of custom autograd functions, which end the path.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from diagnoser.training.probes.bench import tensors_in
from diagnoser.training.probes.functions import (
    ACTIVATIONS,
    ATTENTION,
    GATES,
    GATING,
    KEEPS_VALUES,
    MATRIX_PRODUCTS,
    PRODUCTS,
    SOFT,
    USES_A_WEIGHT,
    Activation,
    plain_name,
)
from diagnoser.training.probes.kinds import (
    ACTIVATION_MODULES,
    BATCH_NORMS,
    CONVOLUTIONS,
    DROPOUTS,
    EMBEDDINGS,
    NORMS,
    RECURRENT,
    SATURATION,
    WEIGHT_LAYERS,
    is_layer,
    owns_parameters,
    spread,
)

Nothing: frozenset[str] = frozenset()


@dataclass
class Flow:
    """What is known of one tensor on its way through the model."""

    sources: frozenset[str] = Nothing  # weight layers that reach it linearly
    last: frozenset[str] = Nothing  # weight layers that end in the very operation that made it
    operation: str = "input"
    module: str | None = None  # the activation module that made it
    is_softmax: bool = False


@dataclass
class Seen:
    """What was seen of one module, or of the function behind a weight layer."""

    path: str
    module: nn.Module
    called: bool = False
    input_std: float | None = None
    output_std: float | None = None
    values_per_channel: float | None = None  # BatchNorm
    rows: int = 0
    bias_feeds_norm: bool = False
    activation: Activation = "none"
    highest: Tensor | None = None  # (units,), over all rows seen, behind a relu
    saturated: int = 0
    activated: int = 0  # values that went into a sigmoid or tanh

    @property
    def dead_share(self) -> float | None:
        return None if self.highest is None else (self.highest <= 0).double().mean().item()

    @property
    def saturated_share(self) -> float | None:
        return self.saturated / self.activated if self.activated else None


@dataclass
class Trace:
    """What one or more forward passes showed."""

    layers: dict[str, Seen] = field(default_factory=dict)  # by path, in order of the first call
    weight_layers: list[str] = field(default_factory=list)
    softened: set[str] = field(default_factory=set)
    answer: Any = None  # what the model's forward returned, the first time
    flows: dict[int, Flow] = field(default_factory=dict)  # by id, of the tensors in `alive`
    attention: bool = False
    recurrent: bool = False
    detaches: bool = False
    first_non_finite: str | None = None

    def flow(self, tensor: Tensor | None) -> Flow | None:
        return None if tensor is None else self.flows.get(id(tensor))


def _first(values: Iterable[Tensor]) -> Tensor | None:
    return next(iter(values), None)


class Tracer(TorchFunctionMode):
    """Watches the forward passes made inside its `with`; `trace` holds what was seen. Hooks are removed at the end."""

    def __init__(self, model: nn.Module, trace: Trace, *, functions: bool = True) -> None:
        super().__init__()
        self.trace = trace
        self._model = model
        self._functions = functions
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._alive: list[Any] = []  # an id is a name only while its tensor lives
        self._layer_of_output: dict[int, str] = {}
        self._owner = {id(p): m for m in model.modules() for p in m.parameters(recurse=False)}
        self._handles: list[RemovableHandle] = []
        self._quiet = False  # our own sums are not the model's

    def __enter__(self) -> Self:
        self.trace.flows.clear()
        for module in self._model.modules():
            if not isinstance(module, torch.jit.ScriptModule):  # they refuse hooks
                self._handles.append(module.register_forward_pre_hook(self._before, with_kwargs=True))
                self._handles.append(module.register_forward_hook(self._after, with_kwargs=True))
        if self._functions:
            super().__enter__()  # type: ignore[no-untyped-call]  # torch's own
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._functions:
            super().__exit__(kind, error, tb)  # type: ignore[no-untyped-call]  # torch's own
        for handle in self._handles:
            handle.remove()

    # ------------------------------------------------------------------------------------------------ modules

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if module is self._model and not self._stack:
            for tensor in tensors_in((args, kwargs)):
                self._set(tensor, Flow())
        self._stack.append(module)
        if isinstance(module, BATCH_NORMS):
            given = _first(tensors_in((args, kwargs)))
            layer = None if given is None else self._layer_of_output.get(id(given))
            if layer is not None and module.training:
                self.trace.layers[layer].bias_feeds_norm = (
                    getattr(self.trace.layers[layer].module, "bias", None) is not None
                )

    def _after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._quiet = True
        try:
            self._note(module, tensors_in((args, kwargs)), tensors_in(output))
            if module is self._model and self.trace.answer is None:
                self.trace.answer = output
                self._alive.append(output)
        finally:
            self._quiet = False
            if self._stack and self._stack[-1] is module:
                self._stack.pop()

    def _note(self, module: nn.Module, given: list[Tensor], made: list[Tensor]) -> None:
        path = self._paths[id(module)]
        output = _first(made)
        if output is None:
            return
        finite = not output.is_floating_point() or bool(output.detach().isfinite().all())
        if not finite and self.trace.first_non_finite is None:
            self.trace.first_non_finite = path or "the output of the model"
        if isinstance(module, RECURRENT):
            self.trace.recurrent = True
        if isinstance(module, nn.MultiheadAttention) or re.search("attention", type(module).__name__, re.IGNORECASE):
            self.trace.attention = True
        if is_layer(module):
            self._note_layer(module, path, given, output)
        if isinstance(module, WEIGHT_LAYERS) or path in self.trace.weight_layers:
            self._note_weight_layer(module, path, made)
        elif _is_torchs_own_leaf(module):
            flow = self._flow_of(output)
            flow.operation = type(module).__name__
            if isinstance(module, ACTIVATION_MODULES):
                flow.module = path

    def _note_layer(self, module: nn.Module, path: str, given: list[Tensor], output: Tensor) -> None:
        seen = self.trace.layers.setdefault(path, Seen(path, module))
        first = _first(given)
        if not seen.called:
            seen.called = True
            seen.input_std, seen.output_std = spread(first), spread(output)
        if isinstance(module, BATCH_NORMS) and first is not None and first.ndim >= 2 and not seen.rows:
            seen.values_per_channel, seen.rows = first.numel() / first.shape[1], first.shape[0]

    def _note_weight_layer(self, module: nn.Module, path: str, made: list[Tensor]) -> None:
        if path not in self.trace.weight_layers:
            self.trace.weight_layers.append(path)
        recurrent = isinstance(module, RECURRENT)
        if recurrent:
            self.trace.layers[path].activation = "tanh"  # its own, inside
        here = frozenset((path,))
        for tensor in made:
            self._set(tensor, Flow(Nothing if recurrent else here, here, operation=type(module).__name__))
        if made:
            self._layer_of_output[id(made[0])] = path

    # ------------------------------------------------------------------------------------------------ functions

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not self._quiet and self._stack:  # what the loss does is not the model's
            self._quiet = True
            try:
                self._see(plain_name(func), [*tensors_in(list(args)), *tensors_in(kwargs)], kwargs, result)
            finally:
                self._quiet = False
        return result

    def _see(self, name: str, given: list[Tensor], kwargs: dict[str, Any], result: Any) -> None:
        made = tensors_in(result) if isinstance(result, Tensor | list | tuple) else []
        if not made:
            return
        self.trace.detaches |= name in ("detach", "data")
        self.trace.attention |= name in ATTENTION
        self._see_weights(name, given, made)
        known = [flow for flow in (self.trace.flows.get(id(tensor)) for tensor in given) if flow is not None]
        if not known:
            return
        sources = Nothing.union(*(flow.sources for flow in known))
        softmax = any(flow.is_softmax for flow in known)
        kind = _kind(name, kwargs, inputs=len(known))
        if name in GATING and len(known) > 1:
            self._gate(known)
        if kind != "none":
            self.trace.attention |= name in MATRIX_PRODUCTS and softmax
            self._activate(kind, sources, given, made)
            flow = Flow(Nothing, sources, name, is_softmax=kind == "softmax")
        elif name in KEEPS_VALUES:
            last = Nothing.union(*(flow.last for flow in known))
            flow = Flow(sources, last, known[0].operation, known[0].module, is_softmax=softmax)
        else:
            self.trace.softened |= sources if name in SOFT else Nothing
            flow = Flow(sources, sources, name, is_softmax=softmax)
        for tensor in made:
            self._set(tensor, flow)
            self._layer_of_output.pop(id(tensor), None)  # changed in place: no longer the layer's output

    def _see_weights(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        if name in KEEPS_VALUES and given and id(given[0]) in self._owner:  # weight.t()
            self._alive += made
            self._owner |= {id(tensor): self._owner[id(given[0])] for tensor in made}
        if name in USES_A_WEIGHT and any(id(tensor) in self._owner for tensor in given):
            self._adopt(given)

    def _adopt(self, given: list[Tensor]) -> None:
        """Recognise a weight layer of the user's own: no children, and a product with its own parameter."""
        module = self._stack[-1] if self._stack else None
        if module is None or list(module.children()) or not owns_parameters(module):
            return
        path = self._paths[id(module)]
        own = any(self._owner.get(id(tensor)) is module for tensor in given)
        if own and not isinstance(module, (*NORMS, *EMBEDDINGS)) and path not in self.trace.weight_layers:
            self.trace.weight_layers.append(path)
            self.trace.layers.setdefault(path, Seen(path, module))

    def _activate(self, kind: Activation, sources: frozenset[str], given: list[Tensor], made: list[Tensor]) -> None:
        holders = [self.trace.layers[path] for path in sources if path in self.trace.layers]
        module = self._stack[-1] if self._stack else None
        if isinstance(module, ACTIVATION_MODULES):
            path = self._paths[id(module)]
            holders.append(self.trace.layers.setdefault(path, Seen(path, module)))
        wide = any(isinstance(holder.module, CONVOLUTIONS) for holder in holders)
        for holder in holders:
            if holder.activation not in ("none", kind):
                continue  # the first one counts: what else is done with the same output is a branch
            holder.activation = kind
            if kind == "relu":
                highest = _highest_per_unit(made[0], channels_first=wide or made[0].ndim >= 4)
                same = holder.highest is not None and holder.highest.shape == highest.shape
                holder.highest = (
                    torch.maximum(holder.highest, highest) if same and holder.highest is not None else highest
                )
            if kind in SATURATION and given and given[0].is_floating_point():
                holder.saturated += int((given[0].detach().abs() > SATURATION[kind]).sum())
                holder.activated += given[0].numel()

    def _gate(self, factors: list[Flow]) -> None:
        """Take back what was said of a layer whose bounded activation turns out to be a gate."""
        for flow in factors:
            for path in flow.last if flow.operation.lower() in GATES else ():
                holder = self.trace.layers.get(path)
                if holder is not None and holder.activation in GATES:
                    holder.activation, holder.saturated, holder.activated = "other", 0, 0

    def _flow_of(self, tensor: Tensor) -> Flow:
        flow = self.trace.flows.get(id(tensor))
        if flow is None:
            flow = Flow()
            self._set(tensor, flow)
        return flow

    def _set(self, tensor: Tensor, flow: Flow) -> None:
        self._alive.append(tensor)
        self.trace.flows[id(tensor)] = flow


def _kind(name: str, kwargs: dict[str, Any], *, inputs: int) -> Activation:
    """Tell what a function does to what flows through; `inputs`: how many arguments depend on the model's."""
    if name in ("clamp", "clamp_min", "clip") and kwargs.get("min") == 0 and kwargs.get("max") is None:
        return "relu"
    return "other" if name in PRODUCTS and inputs >= 2 else ACTIVATIONS.get(name, "none")


def _is_torchs_own_leaf(module: nn.Module) -> bool:
    if isinstance(module, (*DROPOUTS, nn.Identity, nn.Flatten, nn.Unflatten)) or list(module.children()):
        return False
    return type(module).__module__.startswith("torch.nn")


def _highest_per_unit(tensor: Tensor, *, channels_first: bool) -> Tensor:
    """Give each unit's largest value over rows and positions; (N, C, ...) for convolutions, else (..., F)."""
    if tensor.ndim == 0:
        return tensor.detach().reshape(1).double()
    axis = 1 if channels_first and tensor.ndim >= 2 else tensor.ndim - 1
    values = tensor.detach().movedim(axis, 0).flatten(1) if tensor.ndim > 1 else tensor.detach()[:, None]
    return values.double().amax(dim=1)
