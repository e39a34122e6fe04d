"""Has Adagrad's own rate faded before the model has learned?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Fix
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import LayerTrace
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Adagrad's rate has faded",
    why="Adagrad divides by the sum of all squared gradients so far, which only grows: its steps shrink for ever.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#ada",),
)
EARLY, HALF = 0.1, 0.5  # of the run: at most, and about
FADED = 0.1  # of the early rate (CATALOGUE)
UNFINISHED = ("still_improving", "underfit", "plateau")
FIX = Fix(
    title="Use Adam, which forgets old gradients",
    patch={"optimizer.name": "adam", "optimizer.lr": 1e-3, "optimizer.momentum": None},
)


def check(
    spec: TrainingSpec, optimizer: OptimizerProfile, curves: Curves, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    if optimizer.name != "Adagrad":
        raise NotApplicable(f"the optimizer is {optimizer.name}")
    runs = user_runs.ours(curves)
    left = user_runs.middle(_left(run) for run in runs)
    if left is None:
        raise Unjudged("the layers were not traced at enough points of the run")
    observed = f"at half the run a gradient moves the weights {left:.0%} as far as at the start"
    expected = f"at least {FADED:.0%}, or a run that is finished"
    if left >= FADED or not user_runs.classed(runs, *UNFINISHED):
        yield Passed(observed=observed, expected=expected)
        return
    claim = claims.claim(treatments, FIX)
    yield Finding(
        message=f"With Adagrad, {observed}, while the loss is not done falling.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/optimizer/value/name", "/steps/curves/value/runs/0/layers"),
        fixes=(FIX,) if spec.optimizer.factory is None else (Fix(title=FIX.title, advice="in your optimizer factory"),),
        explains=("optimizer-unfit", "too-few-epochs", "underfitting", "loss-plateaus") if claim.verified else (),
        key="optimizer.name",
    )


def _left(run: CurveRun) -> float | None:
    """Rate at half the run over the rate early in it, median over layers."""
    return user_runs.middle(_of_layer(layer, run.updates) for layer in run.layers)


def _of_layer(layer: LayerTrace, updates: int) -> float | None:
    """|Δw| / |g| is lr / sqrt(sum of squares), as a norm over the layer; no accumulator has to be read."""
    points = [
        (update / max(1, updates), ratio * weight / gradient)
        for update, ratio, weight, gradient in zip(
            layer.updates, layer.update_ratio, layer.weight_norm, layer.gradient_norm, strict=False
        )
        if gradient > 0 and is_finite(ratio) and is_finite(gradient) and is_finite(weight)
    ]
    # The very first step always has the length lr, whatever the gradient: it is no yardstick.
    early = [rate for at, rate in points if 0 < at <= EARLY]
    half = [rate for at, rate in points if abs(at - HALF) <= EARLY]
    return half[0] / early[0] if early and half and early[0] > 0 else None
