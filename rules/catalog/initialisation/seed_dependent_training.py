"""Does it depend on the seed whether the model learns at all?"""

from collections.abc import Iterator

from diagnoser.evidence.steps import Curves, Overfit, Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import claims, rates, warming
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Training succeeds or fails by seed",
    why="A setting at which one start in three gets stuck will fail on some retraining, without a change of yours.",
    since="0.1",
    references=("https://arxiv.org/abs/1502.01852",),
)
STUCK, LEARNED = 0.9, 0.5  # of the initial loss (CATALOGUE); between the two nothing is said
LEAST_SEEDS = 3


def check(
    spec: TrainingSpec, curves: Curves | None, overfit: Overfit | None, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    runs = _run_ends(curves)
    attempts = _attempt_ends(overfit)
    if max(len(runs), len(attempts)) < LEAST_SEEDS:
        raise Unjudged(f"it takes {LEAST_SEEDS} seeds to see whether they differ")
    by_runs, by_attempts = _splits(runs), _splits(attempts)
    ends = runs if by_runs or not by_attempts else attempts
    shown = ", ".join(f"{end:.0%}" for end in ends)
    observed = f"losses end at {shown} of their start"
    expected = "every seed learns, or none"
    if not by_runs and not by_attempts:
        yield Passed(observed=observed, expected=expected)
        return
    lr = rates.rounded(spec.optimizer.lr / 3)
    fixes = (
        Fix(title="Re-initialise: Kaiming for ReLU, Xavier for tanh", transforms=(Transform.REINITIALISE,)),
        Fix(title=f"Lower the learning rate to {lr:g}", patch={"optimizer.lr": lr}),
        *warming.fixes(spec),
    )
    claim = claims.claim(treatments, *fixes)
    severity, confidence = claim.severity, claim.confidence
    if by_runs and not claim.verified:
        severity = Severity.WARNING
        confidence = Confidence.HIGH if by_attempts else Confidence.MEDIUM
    where = "Your training" if by_runs else "The small set"
    stuck = sum(end > STUCK for end in ends)
    yield Finding(
        title=f"{stuck} of {len(ends)} seeds {'stays' if stuck == 1 else 'stay'} stuck",
        message=f"{where} learns from some starts and not from others: with {len(ends)} seeds the "
        f"{observed}.{claim.words}",
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs",) if by_runs else ("/steps/overfit/value/attempts",),
        fixes=fixes,
        key="model",
    )


def _run_ends(curves: Curves | None) -> tuple[float, ...]:
    """Lowest smoothed loss of each whole run, as a share of its start; a lost run is as good as stuck."""
    if curves is None:
        return ()
    ends = []
    for run in curves.runs:
        start, lowest = run.initial_loss, min((v for v in run.smoothed if v == v), default=None)  # noqa: PLR0124 - NaN
        if run.loop == "ours" and run.updates >= curves.planned_updates and start and lowest is not None and start > 0:
            ends.append(min(1.0, lowest / start))
    return tuple(ends)


def _attempt_ends(overfit: Overfit | None) -> tuple[float, ...]:
    """The same on the small set at the user's lr; what was still falling says nothing."""
    if overfit is None:
        return ()
    return tuple(
        min(1.0, attempt.lowest_loss / attempt.initial_loss)
        for attempt in rates.plain_attempts(overfit)
        if rates.same(attempt.lr, overfit.user_lr) and (attempt.memorised or not attempt.still_falling)
        if attempt.initial_loss and attempt.initial_loss > 0 and attempt.lowest_loss is not None
    )


def _splits(ends: tuple[float, ...]) -> bool:
    return len(ends) >= LEAST_SEEDS and max(ends) > STUCK and min(ends) < LEARNED
