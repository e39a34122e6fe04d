"""Is the gradient that autograd gives the slope of the loss? Central differences in float64 along four directions.

Covers: custom backward passes, detached parts, values that leave the graph and come back. Does not cover: gradients
that are wrong in train mode only (eval mode holds BatchNorm and dropout still), and kinks: hence several steps.
"""

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import GradientCheck
from diagnoser.training.failures import is_out_of_memory
from diagnoser.training.probes.bench import DEFAULT_SECONDS, fresh, spread_rows, trainable
from diagnoser.training.probes.double import Promoting, as_double, default_double, with_double_loss
from diagnoser.training.probes.trace import Trace, Tracer
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

FEW_ROWS, ROWS = 4, 32  # the few show whether there is time for more
PASSES = 8  # of the same cost, for four directions
# Of the weights' norm, in order of trial. A smaller step crosses fewer kinks of a ReLU, a larger one has less noise.
STEP_SIZES = (1e-5, 1e-6, 1e-4, 1e-7, 1e-3)
CLOSE_ENOUGH = 1e-6  # no other step need be tried
RANDOM_DIRECTIONS = 3
SUSPICIOUS = 1e-2  # from here on the layers are asked one by one (CATALOGUE, wrong-custom-gradient)
LEAST_PART = 0.1  # a tensor of zeros moves as one of a tenth of the usual size would
JITTER = 0.05  # of the weights' norm: far beyond the steps, and the model stays nearly what it was
JITTER_SEED = 1_000  # a direction of its own
DETACH = "detach"  # the suspect that is no function of the user's
LEVEL = 0.1  # of the usual slope: a direction that is level by chance is compared with this

Direction = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Slope:
    """The loss of a float64 model on one batch as a function of its trainable parameters."""

    loss: Callable[[], Tensor]
    weights: dict[str, nn.Parameter]
    gradient: Direction
    length: float  # norm of all weights
    held: Mapping[str, int]  # rows of embeddings that no direction moves: torch gives padding no gradient, by design

    def along(self, direction: Direction, step: float) -> float:
        """Give the central difference along a direction of length 1."""
        reach = step * self.length
        values = [self._at(direction, sign * reach) for sign in (1.0, -1.0)]
        return (values[0] - values[1]) / (2 * reach)

    def _at(self, direction: Direction, distance: float) -> float:
        kept = {name: self.weights[name].detach().clone() for name in direction}
        with torch.no_grad():
            for name, part in direction.items():
                self.weights[name].add_(part, alpha=distance)
        try:
            return self.loss().item()
        finally:
            with torch.no_grad():
                for name, value in kept.items():
                    self.weights[name].copy_(value)

    def error(self, direction: Direction) -> float:
        """Give the smallest relative error over the step sizes."""
        expected = sum(float((self.gradient[name] * part).sum()) for name, part in direction.items())
        best = math.inf
        for step in STEP_SIZES:
            seen = self.along(direction, step)
            scale = max(abs(seen), abs(expected), LEVEL * self._usual(direction))
            best = min(best, abs(seen - expected) / scale if scale else 0.0)
            if best < CLOSE_ENOUGH:
                break
        return best

    def _usual(self, direction: Direction) -> float:
        """Give the slope that directions like this one have: its parts are drawn, so their signs are by chance."""
        return math.sqrt(sum(float((self.gradient[name] * part).square().sum()) for name, part in direction.items()))


def measure(workload: Workload, probe: Probe) -> GradientCheck:
    """Compare autograd with finite differences. Raises Unsupported where float64 or a finite loss cannot be had."""
    end = time.monotonic() + (DEFAULT_SECONDS if probe.max_seconds is None else probe.max_seconds)
    with default_double():
        began = time.monotonic()
        slope, suspects = _slope(workload, probe.seed, FEW_ROWS)
        if (time.monotonic() - began) * ROWS / FEW_ROWS * PASSES < end - time.monotonic():
            slope, suspects = _slope(workload, probe.seed, ROWS)
        directions = _directions(slope, probe.seed)
        errors: dict[str, float] = {}
        for name, direction in directions.items():
            if errors and time.monotonic() > end:
                break
            errors[name] = slope.error(direction)
        suspicious = max(errors.values()) > SUSPICIOUS
        worst = _worst_layer(slope, probe.seed, end) if suspicious else None
        flat = _flat_layer(slope, probe.seed, end) if suspicious and custom_only(suspects) else None
    return GradientCheck(
        relative_errors=tuple(errors.values()),
        directions=tuple(errors),
        step_sizes=tuple(sorted(STEP_SIZES, reverse=True)),
        suspects=suspects,
        worst_layer=worst,
        flat_layer=flat,
    )


def _slope(workload: Workload, seed: int, rows: int) -> tuple[Slope, tuple[str, ...]]:
    batch = as_double(spread_rows(workload, rows))
    model = _double_model(workload, seed)
    asked = with_double_loss(workload)

    longest = Promoting()

    def loss() -> Tensor:
        # cuDNN's recurrent layers refuse eval mode.
        with forked(seed), torch.backends.cudnn.flags(enabled=False), longest:
            return asked.loss(model, fresh(batch))

    weights = trainable(model)
    if not weights:
        raise Unsupported("the model has no trainable parameters")
    held = {
        f"{path}.weight" if path else "weight": module.padding_idx
        for path, module in model.named_modules()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None
    }
    _leave_the_kinks(weights, seed, held)
    trace = Trace()
    try:
        with Tracer(model, trace):
            value = loss()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise Unsupported(f"the model does not run in float64: {type(error).__name__}: {error}") from error
    shorter = value.dtype if value.dtype != torch.float64 else longest.shorter
    if shorter is not None:
        raise Unsupported(f"parts of the model or loss stay in {str(shorter).removeprefix('torch.')}, not float64")
    if not value.isfinite():
        raise Unsupported("the loss of the untrained model is not finite")
    if not value.requires_grad:
        raise Unsupported("the loss has no gradient")
    if len({loss().item() for _ in range(2)}) > 1:
        raise Unsupported("the loss differs between two passes with the random state fixed")
    suspects = custom_functions(value) + ((DETACH,) if trace.detaches else ())
    parts = torch.autograd.grad(value, list(weights.values()), allow_unused=True, materialize_grads=True)
    gradient = {name: part.detach().to_dense() for name, part in zip(weights, parts, strict=True)}
    if not all(part.isfinite().all() for part in gradient.values()):
        raise Unsupported("the gradient of the untrained model is not finite")
    length = _length({name: weight.detach() for name, weight in weights.items()})
    return Slope(loss, weights, gradient, length or 1.0, held), suspects


def _leave_the_kinks(weights: dict[str, nn.Parameter], seed: int, held: Mapping[str, int]) -> None:
    """Move our copy of the weights a little: with biases of 0, a ReLU over blank pixels sits exactly on its kink."""
    length = _length({name: weight.detach() for name, weight in weights.items()}) or 1.0
    start = Slope(lambda: torch.zeros(()), weights, {}, length, held)
    with torch.no_grad():
        for name, part in _random(start, list(weights), seed + JITTER_SEED).items():
            weights[name].add_(part, alpha=JITTER * start.length)


def _double_model(workload: Workload, seed: int) -> nn.Module:
    model = workload.build_model(seed=seed)
    try:
        return copy.deepcopy(model).double().eval()  # the factory may hand out one model for ever
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise Unsupported(f"the model cannot be copied to float64: {type(error).__name__}: {error}") from error


def _directions(slope: Slope, seed: int) -> dict[str, Direction]:
    steepest = {"gradient": _unit({name: -part for name, part in slope.gradient.items()})}
    random = {
        f"random {number + 1}": _random(slope, list(slope.weights), seed + number)
        for number in range(RANDOM_DIRECTIONS)
    }
    return steepest | random if _length(slope.gradient) > 0 else random


def _random(slope: Slope, names: list[str], seed: int) -> Direction:
    """Draw a direction in which each tensor moves in proportion to its own size."""
    values = sum(weight.numel() for weight in slope.weights.values())
    usual = slope.length / values**0.5
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name in names:
        weight = slope.weights[name]
        size = max(weight.detach().square().mean().sqrt().item() if weight.numel() else 0.0, LEAST_PART * usual)
        drawn[name] = size * torch.randn(weight.shape, generator=generator, dtype=weight.dtype).to(weight.device)
        if name in slope.held:
            drawn[name][slope.held[name]] = 0.0
    return _unit(drawn)


def _worst_layer(slope: Slope, seed: int, end: float) -> str | None:
    """Find the last layer whose own gradient is wrong: what is wrong in a backward pass is wrong for all before it."""
    by_layer: dict[str, list[str]] = {}
    for name in slope.weights:
        by_layer.setdefault(name.rpartition(".")[0], []).append(name)
    errors: dict[str, float] = {}
    for layer, names in by_layer.items():
        if time.monotonic() > end:
            break
        errors[layer] = slope.error(_random(slope, names, seed))
    wrong = [layer for layer, error in errors.items() if error > max(SUSPICIOUS, max(errors.values()) / 2)]
    return wrong[-1] if wrong else None


def _flat_layer(slope: Slope, seed: int, end: float) -> str | None:
    """Find a layer that has a gradient though the loss does not move with its weights at all.

    Behind it stands a step (sign, round): its true slope is 0, so the gradient must be another function's on purpose.
    """
    for name, part in slope.gradient.items():
        if time.monotonic() > end:
            break
        direction = _random(slope, [name], seed)
        expected = abs(float((part * direction[name]).sum()))
        if expected > 0 and slope.along(direction, min(STEP_SIZES)) == 0.0:  # to the last bit
            return name.rpartition(".")[0] or name
    return None


def custom_only(suspects: tuple[str, ...]) -> bool:
    """Tell whether a function with a backward pass of its own stands in the graph."""
    return any(name != DETACH for name in suspects)


def custom_functions(loss: Tensor) -> tuple[str, ...]:
    """Name the autograd functions in a graph that torch did not write, nearest to the loss first."""
    names: dict[str, None] = {}
    seen: set[Any] = set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop(0)
        if node is None or node in seen:
            continue
        seen.add(node)
        written: Any = getattr(node, "_forward_cls", None)
        if written is not None and not written.__module__.startswith("torch."):
            names.setdefault(written.__name__)
        waiting += [following for following, _ in node.next_functions]
    return tuple(names)


def _length(direction: Direction) -> float:
    return math.sqrt(sum(float(part.square().sum()) for part in direction.values()))


def _unit(direction: Direction) -> Direction:
    length = _length(direction)
    return {name: part / length for name, part in direction.items()} if length else direction
