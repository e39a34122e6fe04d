"""Did early stopping end the run too soon?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Early stopping is too impatient",
    why="A patience shorter than the noise of the metric stops a good run at its first bad epoch.",
    since="0.1",
    references=("https://page.mi.fu-berlin.de/prechelt/Biblio/stop_tricks1997.pdf",),
)
EARLY = 0.9  # of the planned run: what ends later has lost little
IMPATIENT = 5  # epochs; 5 to 10 are usual (CATALOGUE)
HALF = 0.5  # of the planned run: a stop this early deserves a second look at any patience
MORE = 4  # times the patience, in the paired run
WORTH = 0.01  # of the metric: less is the user's choice (CATALOGUE)


def check(
    spec: TrainingSpec, assumptions: Assumptions, curves: Curves, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    stopping = spec.early_stopping
    if stopping is None:
        raise NotApplicable("there is no early stopping")
    runs = user_runs.ours(curves)
    shares = [run.updates / max(1, curves.planned_updates) for run in runs if run.stopped_by == "early_stopping"]
    expected = f"a run that ends by itself, or after at least {EARLY:.0%} of its length"
    typical = user_runs.middle(shares)
    if typical is None or 2 * len(shares) < len(runs) or typical > EARLY:
        yield Passed(observed=f"early stopping ended {len(shares)} of {len(runs)} runs", expected=expected)
        return
    observed = f"stopped after {typical:.0%} of the run, with a patience of {stopping.patience}"
    if stopping.patience >= IMPATIENT and typical > HALF:
        yield Passed(observed=observed, expected=expected)
        return
    patience = stopping.patience * MORE
    fix = Fix(title=f"Raise the patience to {patience} epochs", patch={"early_stopping.patience": patience})
    claim = claims.claim(treatments, fix, least=WORTH)
    if claim.state is FixState.REFUTED or (claim.state is FixState.VERIFIED and not claim.verified):
        yield Passed(observed=f"{observed}; {patience} were tried and gain too little to matter", expected=expected)
        return
    yield Finding(
        title=f"Early stopping ends the run after {typical:.0%} of its length",
        message=f"With a patience of {stopping.patience}, {len(shares)} of {len(runs)} runs ended after {typical:.0%} "
        f"of their length.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/spec/early_stopping", "/steps/curves/value/runs/0/stopped_by"),
        fixes=(fix,),
        explains=("too-few-epochs", "underfitting") if claim.verified else (),
        key="early_stopping.patience",
    )
