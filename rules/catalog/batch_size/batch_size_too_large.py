"""Are the batches so large that too few updates remain?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The batches are too large for the run",
    why="At a fixed number of epochs, larger batches mean fewer updates, and the run ends before it has learned.",
    since="0.1",
    references=("https://arxiv.org/abs/1804.07612",),
)
FEW_UPDATES = 200  # in the whole run (CATALOGUE); 20 to 280 memorise a small set alone
LARGE = 0.1  # of the training rows
USUAL = 32  # batches of 2 to 32 train best (Masters and Luschi 2018): up to here a short run is short of epochs
SMALLER = 4  # times, in the paired run at equal epochs
UNFINISHED = ("still_improving", "underfit", "late_start")


def check(
    spec: TrainingSpec,
    assumptions: Assumptions,
    data: DataProfile,
    curves: Curves,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    batch = spec.data.batch_size * spec.accumulate_batches
    if spec.steps is not None:
        raise NotApplicable("the run is given in steps, whose number does not depend on the batch size")
    if batch < SMALLER:
        raise NotApplicable(f"batches of {batch} cannot be made much smaller")
    updates, rows = assumptions.total_updates, data.train.rows
    runs = user_runs.ours(curves)
    observed = f"{updates:,} updates in all, {batch} of {rows:,} rows in each"
    expected = f"at least {FEW_UPDATES} updates, or a run that is finished"
    few, large = updates < FEW_UPDATES and batch > USUAL, batch > LARGE * rows
    unfinished = user_runs.classed(runs, *UNFINISHED)
    if not (few or (large and unfinished)) or user_runs.at_ceiling(runs):
        yield Passed(observed=observed, expected=expected)
        return
    if spec.accumulate_batches >= SMALLER:
        fewer = spec.accumulate_batches // SMALLER
        fix = Fix(title=f"Accumulate {fewer} batches", patch={"accumulate_batches": fewer})
    else:
        smaller = max(1, spec.data.batch_size // SMALLER)
        fix = Fix(title=f"Batches of {smaller} at the same number of epochs", patch={"data.batch_size": smaller})
    claim = claims.claim(treatments, fix, least=claims.MATTERS)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; a quarter of it was tried and is not better", expected=expected)
        return
    yield Finding(
        title=f"{updates:,} updates in all, with batches of {batch}",
        message=f"The run has {observed}, and is not finished when it ends.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/assumptions/value/total_updates",
            "/spec/data/batch_size",
            "/steps/curves/value/runs",
        ),
        fixes=(fix,),
        explains=("too-few-epochs", "underfitting") if claim.verified else (),
        key="data.batch_size",
    )
