"""Do the first layers stand still while the last ones move?"""

from collections.abc import Iterator
from typing import NamedTuple

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.trials import LayerTrace, Transform
from rules import normalising, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Gradients vanish before the first layers",
    why="Layers that get no gradient stay random, and the rest must work with what they make of the input.",
    since="0.1",
    references=("https://proceedings.mlr.press/v9/glorot10a.html",),
)
STILL = 1e-6  # update ratio of the first layer (CATALOGUE)
BEHIND = 1e-3  # times the last layer's; first/last ratios of 0.01 are healthy in transformers
CHECKS = 3
LEARNING = 0.5  # of the initial loss: a model that has converged moves nowhere
EFFECTS = ("small-set-not-memorised", "no-learning-rate-works", "loss-plateaus", "underfitting")
RELU = Fix(title="ReLU in the hidden layers, with Kaiming weights", transforms=(Transform.RELU_ACTIVATIONS,))
FRESH = Fix(title="Initialise anew: Kaiming for ReLU, Xavier for tanh", transforms=(Transform.REINITIALISE,))
ADVICE = Fix(title="Shorten the way back", advice="residual connections around the hidden layers")


class _Seen(NamedTuple):
    """What one run showed."""

    first: LayerTrace
    last: LayerTrace
    checks: int  # at which the first layer stood still

    @property
    def ratio(self) -> float:
        """The first layer's smallest update ratio."""
        return min(self.first.update_ratio)


def check(curves: Curves, model: ModelProfile | None) -> Iterator[Finding | Passed]:
    frozen = _without_gradient(model)
    seen = [found for run in user_runs.ours(curves) if (found := _seen(run, frozen)) is not None]
    if not seen:
        raise Unjudged("how much the layers move was not recorded for two trainable layers")
    expected = f"an update of at least {STILL:g} of the weights, or within {1 / BEHIND:g} times of the last layer"
    still = [found for found in seen if found.checks >= CHECKS]
    if not user_runs.enough(found in still for found in seen):
        lowest = min(found.ratio for found in seen)
        yield Passed(observed=f"the first layer moves by at least {lowest:.2g} of its weights", expected=expected)
        return
    one = still[0]
    hidden = {layer.activation for layer in model.layers if layer.hidden} if model is not None else set()
    bounded = bool(hidden & {"sigmoid", "tanh"})
    yield Finding(
        title=f"`{one.first.layer}` hardly gets a gradient",
        message=f"At {one.checks} checks `{one.first.layer}` moved by no more than {STILL:g} of its weights a step, "
        f"and less than a thousandth as much as `{one.last.layer}`, while the loss was still high.",
        severity=Severity.WARNING,
        confidence=Confidence.MEDIUM,
        observed=f"update ratio {one.ratio:.2g} in `{one.first.layer}`",
        expected=expected,
        evidence=("/steps/curves/value/runs/0/layers",),
        fixes=(*((RELU,) if bounded else ()), FRESH, *normalising.fixes(model), ADVICE),
        explains=EFFECTS,
        key="model",
        subject=one.first.layer,
    )


def _without_gradient(model: ModelProfile | None) -> frozenset[str]:
    """Layers that are not to be trained, and those that take no part in the loss: no gradient vanishes on its way."""
    if model is None:
        return frozenset()
    frozen = (layer.path for layer in model.layers if layer.parameters and layer.frozen_parameters == layer.parameters)
    unused = (path for name in model.unused for path in (name, name.rpartition(".")[0]))
    return frozenset((*frozen, *unused))


def _seen(run: CurveRun, frozen: frozenset[str]) -> _Seen | None:
    """Both the step and the gradient of the first layer are looked at: Adam hides small gradients."""
    traces = [trace for trace in run.layers if trace.layer not in frozen and trace.update_ratio]
    if len(traces) < 2 or run.initial_loss is None or not is_finite(run.initial_loss):
        return None
    first, last = traces[0], traces[-1]
    checks = 0
    for index, update in enumerate(first.updates[: len(last.updates)]):
        ratio, other = first.update_ratio[index], last.update_ratio[index]
        gradient, behind = first.gradient_norm[index], last.gradient_norm[index]
        if not all(is_finite(value) for value in (ratio, other, gradient, behind)):
            continue
        small = ratio < STILL and ratio < BEHIND * other and gradient < BEHIND * behind
        checks += small and _loss(run, update) > LEARNING * abs(run.initial_loss)
    return _Seen(first, last, checks)


def _loss(run: CurveRun, update: int) -> float:
    """The smoothed loss at an update."""
    if not run.smoothed:
        return 0.0
    value = run.smoothed[min(update // max(1, run.stride), len(run.smoothed) - 1)]
    return value if is_finite(value) else 0.0
