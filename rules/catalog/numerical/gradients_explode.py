"""Does the gradient grow a thousandfold, over time or from layer to layer?"""

from collections.abc import Iterator
from math import ceil, inf, isfinite
from statistics import median, quantiles
from typing import NamedTuple

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from rules import normalising, rates, signal, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Gradients explode",
    why="An update a thousand times too long throws away what was learned before it.",
    since="0.1",
    references=("https://arxiv.org/abs/1211.5063",),
)
GROWTH = 1000.0  # times the median of the first steps; a healthy deep net that starts tiny grew 167 times (CATALOGUE)
FIRST = 20  # steps
FEWEST = 3  # recorded norms among these
DEPTH = 1000.0  # first layer over last layer, before training
EFFECTS = ("loss-diverges", "non-finite-loss", "loss-spikes")


class _Jump(NamedTuple):
    """How far one run's gradient grew while its loss rose."""

    growth: float
    update: int


def check(spec: TrainingSpec, model: ModelProfile | None, curves: Curves | None) -> Iterator[Finding | Passed]:
    if model is None and curves is None:
        raise Unjudged("no gradient was measured")
    runs = [run for run in curves.runs if run.loop == "ours" and run.gradient_norms] if curves is not None else []
    jumps = [_jump(run) for run in runs]
    expected = f"less than {GROWTH:g} times that of the first {FIRST} steps"
    if user_runs.enough(jump.growth > GROWTH for jump in jumps):
        worst = sorted(jumps)[len(jumps) // 2]
        grown = f"{worst.growth:.3g} times" if isfinite(worst.growth) else "beyond all bounds"
        yield Finding(
            title=f"The gradient grows {grown}",
            message=f"By update {worst.update:,} the gradient's norm has grown {grown} over the first {FIRST} steps, "
            "while the loss rose.",
            severity=Severity.WARNING,
            confidence=Confidence.MEDIUM,
            observed=f"grown {grown}",
            expected=expected,
            evidence=("/steps/curves/value/runs/0/gradient_norms",),
            fixes=_fixes(spec, runs),
            explains=EFFECTS,
            key="optimizer",
        )
        return
    ratio, first = _first_over_last(model) if model is not None else (None, None)
    if ratio is not None and ratio > DEPTH:
        yield Finding(
            title=f"The first layer's gradient is {ratio:.3g} times that of the last",
            message=f"Before training the gradient of `{first}` is {ratio:.3g} times that of the last layer: it grows "
            "on its way back.",
            severity=Severity.WARNING,
            confidence=Confidence.MEDIUM,
            observed=f"first layer over last: {ratio:.3g}",
            expected=f"at most {DEPTH:g}",
            evidence=("/steps/preflight/model/value/layers",),
            fixes=(*_fixes(spec, runs), *normalising.fixes(model)),
            explains=EFFECTS,
            key="model",
            subject=first,
        )
        return
    if not jumps and ratio is None:
        raise Unjudged("no gradient was measured")
    most = max((jump.growth for jump in jumps), default=1.0)
    yield Passed(observed=f"at most {most:.3g} times" if jumps else f"first over last: {ratio:.3g}", expected=expected)


def _jump(run: CurveRun) -> _Jump:
    """The largest norm over the median of the first steps, at updates whose loss is above that of the first steps."""
    norms, every, first = run.gradient_norms, _every(run), _first(run)
    start = [norm for norm in first if is_finite(norm)]
    if len(norms) <= len(first) or not start or median(start) <= 0:
        return _Jump(1.0, 0)
    steps = len(first) * every
    before = user_runs.middle(run.batch_losses[: ceil(len(run.batch_losses) * steps / max(1, run.updates))])
    best = _Jump(1.0, 0)
    for index in range(len(first), len(norms)):
        loss = _loss(run, min(1.0, index * every / max(1, run.updates - 1)))
        if before is not None and is_finite(loss) and loss <= before:
            continue
        growth = norms[index] / median(start) if is_finite(norms[index]) else inf
        best = max(best, _Jump(growth, round(index * every)))
    return best


def _every(run: CurveRun) -> float:
    """Updates between two norms."""
    return run.gradient_norm_every or max(1.0, run.updates / len(run.gradient_norms))


def _first(run: CurveRun) -> tuple[float, ...]:
    """The norms of the first steps."""
    return run.gradient_norms[: max(FEWEST, ceil(FIRST / _every(run)))]


def _loss(run: CurveRun, share: float) -> float:
    """The batch loss at this share of the run; infinite where none was recorded."""
    return run.batch_losses[round(share * (len(run.batch_losses) - 1))] if run.batch_losses else inf


def _first_over_last(model: ModelProfile) -> tuple[float | None, str | None]:
    layers = [
        layer
        for layer in signal.weight_layers(model)
        if layer.gradient_norm is not None and layer.frozen_parameters < layer.parameters and layer.type != "Embedding"
    ]
    if len(layers) < 2 or not layers[-1].gradient_norm or not is_finite(layers[0].gradient_norm):
        return None, None
    return (layers[0].gradient_norm or 0.0) / layers[-1].gradient_norm, layers[0].path


def _fixes(spec: TrainingSpec, runs: list[CurveRun]) -> tuple[Fix, ...]:
    """Clip at the 90th percentile of the first steps' norms, where they are known; and a third of the lr."""
    lower = rates.rounded(spec.optimizer.lr / 3)
    fixes = [Fix(title=f"Lower the learning rate to {lower:g}", patch={"optimizer.lr": lower})]
    healthy = [norm for run in runs for norm in _first(run) if is_finite(norm) and norm > 0]
    if len(healthy) > 1 and spec.gradient_clip_norm is None:
        limit = float(f"{quantiles(healthy, n=10)[-1]:.2g}")
        fixes.insert(0, Fix(title=f"Clip the gradient at {limit:g}", patch={"gradient_clip_norm": limit}))
    return tuple(fixes)
