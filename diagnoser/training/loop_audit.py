"""What does the user's own loop do to the gradients, batch by batch?

Instruments, no judgement: a recorder that is told of every draw, forward, backward, clip, step and clear while the
user's function runs, and keeps what those moments showed.

The gradient at `step` is compared with the one that autograd gives for the losses of this update alone, taken from
the user's own graph at the moment of `backward`: same loss, same batch, same dropout masks, by construction.

Covers: loops that call `backward` and `step`, closures, several backwards per update, scaled losses, schedulers that
are given, optimizers made by the user.
Does not cover: gradients that are written by hand (counted, not compared); second optimizers that the loop makes
itself; forward passes inside `torch.compile`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from diagnoser.training.batches import tensors
from diagnoser.training.live_graph import LiveGraph

Gradients = list[Tensor]
_AUTOGRAD_GRAD = torch.autograd.grad  # as it is without instruments
SAME = 1e-4  # 1 - cosine of two float32 sums of the same terms in another order stays below 1e-5
EVENTS = 60  # kept of one epoch: two batches of any sane loop


@dataclass(frozen=True)
class Randomness:
    """The state of every global generator."""

    python: Any
    numpy: Any
    torch: Tensor
    cuda: list[Tensor]

    @classmethod
    def now(cls) -> Randomness:
        """Take the state as it is."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        return cls(random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda)  # noqa: NPY002  the user's code draws from it

    def restore(self) -> None:
        """Put it back."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002  see above
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)


def mode_dependent(model: nn.Module) -> dict[nn.Module, str]:
    """Modules whose answer depends on train or eval mode, with their paths."""
    found: dict[nn.Module, str] = {}
    for path, module in model.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):  # noqa: SLF001  the only common base of dropouts
            active = module.p > 0
        elif isinstance(module, nn.modules.batchnorm._NormBase):  # noqa: SLF001  the common base of batch and instance norms
            active = module.track_running_stats
        elif isinstance(module, nn.RNNBase | nn.MultiheadAttention):
            active = float(module.dropout) > 0
        else:
            active = False
        if active:
            found[module] = path
    return found


@dataclass
class Window:
    """One backward of the current update: on which batch, and in which random state its forward began."""

    index: int
    batch: Any
    randomness: Randomness


@dataclass
class Seen:
    """What one epoch of the user's loop showed."""

    drawn: list[int] = field(default_factory=list)
    backwards: int = 0
    steps: int = 0
    clears: int = 0  # updates whose first backward found .grad empty again
    clear_calls: int = 0
    events: list[str] = field(default_factory=list)
    modes: list[bool] = field(default_factory=list)
    modules_in_eval: set[str] = field(default_factory=set)
    cosines: list[float] = field(default_factory=list)  # one a step, from the second step on
    sums: list[float | None] = field(default_factory=list)  # the same with what was left from the step before added
    gradient_nonzero: bool | None = None
    nodes: list[int] = field(default_factory=list)  # alive after each batch
    held: list[int] = field(default_factory=list)  # bytes held after each batch
    graph_bytes: int = 0


class Recorder:
    """Is told what happens while the user's loop runs, and measures at those moments."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        *,
        before_step: Callable[[Sequence[Window]], None] | None = None,
        after_step: Callable[[Sequence[Window]], None] | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.seen = Seen()
        self.paused = False
        self._modules = set(model.modules())
        self._mode_dependent = mode_dependent(model)
        self._graph = LiveGraph([*model.parameters(), *model.buffers()])
        self._before_step, self._after_step = before_step, after_step
        self._fresh: Gradients | None = None  # of the backwards of this update
        self._left: Gradients | None = None  # what the last step left in .grad
        self._measurable = True
        self._accumulated = False  # a backward has been seen since .grad was last found empty
        self._window: list[Window] = []
        self._batch: tuple[int, Any] | None = None
        self._drawn_tensors: dict[int, tuple[int, Any]] = {}  # by address: a loop may draw ahead of what it trains on
        self._randomness: Randomness | None = None

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer moves and autograd can reach."""
        return [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad]

    # ---- moments, in the order of a usual loop

    def drawn(self, index: int, batch: Any) -> None:
        """Take note of a new batch; the one before is done with."""
        if self.seen.drawn:
            self.batch_done()
        self.seen.drawn.append(index)
        self._note("draw")
        self._batch, self._randomness = (index, batch), None
        self._drawn_tensors.update((tensor.data_ptr(), (index, batch)) for tensor in tensors(batch))

    def batch_done(self) -> None:
        """Count what is still alive of the graphs so far."""
        nodes, held = self._graph.count()
        self.seen.nodes.append(nodes)
        self.seen.held.append(torch.cuda.memory_allocated() if torch.cuda.is_initialized() else held)
        self.seen.graph_bytes = self._graph.bytes_of_one_graph

    def forward(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note mode and random state at the first module called for a batch, and modules that run in eval mode."""
        if self.paused or module not in self._modules or not torch.is_grad_enabled():
            return
        if module in self._mode_dependent and not module.training:
            self.seen.modules_in_eval.add(self._mode_dependent[module])
        if self._randomness is None:
            self._randomness = Randomness.now()
            fed = (self._drawn_tensors.get(tensor.data_ptr()) for tensor in tensors(inputs))
            self._batch = next((batch for batch in fed if batch is not None), self._batch)
            self.seen.modes.append(self.model.training)
            self._note("forward")

    def backward(self, tensors: tuple[Tensor, ...], weights: Any, *, retained: bool) -> None:
        """Take the gradient that this backward is about to add, and note whether there is an older one."""
        if self.paused:
            return
        self._note("backward")
        self.seen.backwards += 1
        parameters = self.parameters
        if not any(p.grad is not None and bool(_dense(p.grad).any()) for p in parameters):
            self.seen.clears += self._accumulated
            self._left = self._fresh = None
        self._accumulated = True
        if self._batch is not None and self._randomness is not None:
            self._window.append(Window(*self._batch, self._randomness))
        self._randomness = None
        self._graph.watch(tensors, retained=retained)
        gradients = _gradients_of(tensors, weights, parameters)
        if gradients is None:
            self._measurable = False
            return
        self.seen.gradient_nonzero = bool(self.seen.gradient_nonzero) or any(bool(g.any()) for g in gradients)
        self._fresh = gradients if self._fresh is None else [a + b for a, b in zip(self._fresh, gradients, strict=True)]

    def grad_by_hand(self) -> None:
        """Count a call of `torch.autograd.grad`; what becomes of its answer cannot be seen."""
        if not self.paused:
            self._note("backward")
            self.seen.backwards += 1
            self._measurable = False

    def before_step(self, *, closure: bool) -> None:
        """Compare what lies in .grad with what this update's losses gave."""
        if closure or self.paused:  # a closure brings its own forward and backward; it is compared afterwards
            return
        self._note("step")
        self._compare()
        if self._before_step is not None:
            self._aside(self._before_step)

    def after_step(self, *, closure: bool) -> None:
        """Keep what the step left behind."""
        if self.paused:
            return
        if closure:
            self._note("step")
            self._compare()
        elif self._after_step is not None:
            self._aside(self._after_step)
        self.seen.steps += 1
        self._left = [_gradient(p).clone() for p in self.parameters] if self._accumulated else None
        self._fresh, self._window, self._measurable = None, [], True

    def noted(self, event: str) -> None:
        """Note an event that needs no measurement: zero_grad, clip, unscale, scheduler."""
        if not self.paused:
            self.seen.clear_calls += event == "zero_grad"
            self._note(event)

    # ---- how

    def _note(self, event: str) -> None:
        events = self.seen.events
        if len(events) < EVENTS and (not events or events[-1] != event or event == "draw"):
            events.append(event)

    def _aside(self, look: Callable[[Sequence[Window]], None]) -> None:
        """Let an instrument run the model without being recorded and without moving the random state."""
        self.paused, state = True, Randomness.now()
        try:
            look(tuple(self._window))
        finally:
            state.restore()
            self.paused = False

    def _compare(self) -> None:
        if self._fresh is None or not self._measurable or self.seen.steps == 0:
            return
        given = [_gradient(p) for p in self.parameters]
        if len(given) != len(self._fresh):
            return
        if (likeness := cosine(given, self._fresh)) is None:
            return
        self.seen.cosines.append(likeness)
        left = self._left
        total = None if left is None else [a + b for a, b in zip(left, self._fresh, strict=True)]
        self.seen.sums.append(None if total is None else cosine(given, total))


def cosine(a: Gradients, b: Gradients) -> float | None:
    """Return the cosine of two gradients, in float64; None where one is zero or not finite."""
    product = math.fsum(float((x.double() * y.double()).sum()) for x, y in zip(a, b, strict=True))
    norms = norm(a) * norm(b)
    return product / norms if norms > 0 and math.isfinite(product) and math.isfinite(norms) else None


def norm(gradients: Gradients) -> float:
    """Return the norm over all tensors, in float64."""
    return math.sqrt(math.fsum(float((g.double() ** 2).sum()) for g in gradients))


def _dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else _dense(parameter.grad).detach()


def _gradients_of(tensors: tuple[Tensor, ...], weights: Any, parameters: list[Tensor]) -> Gradients | None:
    """Differentiate ahead of the user's own backward, whose graph stays whole; None where it cannot be done."""
    if isinstance(weights, Tensor):
        weights = (weights,)
    try:
        answers: Sequence[Tensor | None] = _AUTOGRAD_GRAD(
            tensors, parameters, grad_outputs=weights, retain_graph=True, allow_unused=True
        )
    except (RuntimeError, ValueError):  # the user's own backward follows, and will say it in its own words
        return None
    return [
        torch.zeros_like(p) if answer is None else _dense(answer).detach()
        for p, answer in zip(parameters, answers, strict=True)
    ]
