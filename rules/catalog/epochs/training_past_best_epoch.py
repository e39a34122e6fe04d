"""Did the model get worse again after its best epoch?"""

import math
from collections.abc import Iterator

from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Training goes on past the best epoch",
    why="The model that is kept is worse than one that the run had already found.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#accuracy",),
)
LOST = 0.02  # of the metric since its best epoch: 4 of 42 healthy runs lose more (CATALOGUE)
LOST_RELATIVE = 0.05  # of a metric without a scale of its own
HINT, SURE = 2.0, 3.0  # standard errors. The best of many epochs is too good by one to two of them
NOISE = 3.0  # sd of repeated evaluation
HALF = 0.5  # of the run: a later best epoch costs little time


def check(spec: TrainingSpec, curves: Curves, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if spec.early_stopping is not None and spec.early_stopping.restore_best:
        raise NotApplicable("early stopping keeps the weights of the best epoch")
    if curves.metric == "loss" or (curves.standard_error is None and not user_runs.is_share(curves)):
        raise Unjudged(f"the metric, {curves.metric}, has no standard error, and a rising loss alone proves little")
    runs = user_runs.whole(curves)
    drop = user_runs.middle(run.reading.drop_since_best for run in runs if run.reading is not None)
    best = user_runs.middle(run.reading.best_epoch for run in runs if run.reading is not None)
    if drop is None or best is None:
        raise Unjudged("the runs have too few evaluations to name a best epoch")
    observed = f"best at epoch {best:g}, {max(drop, 0.0):.3f} worse at the end"
    expected = f"a best epoch in the second half, or a loss of at most {LOST:g} since"
    if not user_runs.enough(_past_best(run, curves, errors=HINT) for run in runs):
        yield Passed(observed=observed, expected=expected)
        return
    epoch = max(1, math.ceil(best))
    fixes = (
        Fix(
            title="Stop early and keep the best weights",
            patch={"early_stopping": {"patience": 5, "restore_best": True}},
        ),
        Fix(title=f"Train for {epoch} epochs", patch={"epochs": epoch}),
    )
    claim = claims.claim(treatments, *fixes)
    severity, confidence = claim.severity, claim.confidence
    known_noise = curves.standard_error is not None
    if not claim.verified and known_noise and user_runs.enough(_past_best(run, curves, errors=SURE) for run in runs):
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # a measured spread, in at least two seeds
    yield Finding(
        title=f"The best epoch was {best:g}; the run lost {drop:.1%} since",
        message=f"The validation {curves.metric.replace('_', ' ')} is best at epoch {best:g}, and {drop:.3f} worse at "
        f"the end.{claim.words}",
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/curves/value/runs/0/reading/best_epoch",
            "/steps/curves/value/runs/0/reading/drop_since_best",
            "/steps/curves/value/standard_error",
        ),
        fixes=fixes,
        key="epochs",
    )


def _past_best(run: CurveRun, curves: Curves, *, errors: float) -> bool:
    """Best in the first half, and worse since by more than the noise of the metric explains."""
    reading = run.reading
    if reading is None or reading.best_epoch is None or reading.drop_since_best is None or not run.epochs:
        return False
    end = abs(user_runs.last(run.validation_metric) or 0.0)
    least = LOST if user_runs.is_share(curves) else LOST_RELATIVE * end
    noise = max(errors * (curves.standard_error or 0.0), NOISE * (run.evaluation_noise or 0.0))
    return reading.best_epoch <= HALF * run.epochs[-1] and reading.drop_since_best > max(least, noise)
