"""Do a few rows own the squared error?"""

from collections.abc import Iterator
from statistics import median

from diagnoser.evidence.preflight import Assumptions
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from rules import confirmation, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="A few outliers own the squared error",
    why="An error counts by its square, so one row that is a hundred times off weighs as much as ten thousand others.",
    since="0.1",
    references=("Huber 1964, Robust estimation of a location parameter",),
)
OWNED = 0.5  # share of the squared error carried by the worst 1 % of the rows
FIXES = (
    Fix(title="Use the Huber loss", patch={"loss": "huber_loss"}),
    Fix(title="Use the absolute error", patch={"loss": "l1_loss"}),
)


def check(assumptions: Assumptions, curves: Curves, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if assumptions.loss_family != "mse":
        raise NotApplicable("the loss is no squared error")
    shares = [run.outlier_loss_share for run in user_runs.ours(curves) if run.outlier_loss_share is not None]
    if not shares:
        raise Unjudged("the squared error of single rows was not measured")
    share = median(shares)
    observed = f"the worst 1 % of the rows carry {share:.0%} of the squared error"
    expected = f"at most {OWNED:.0%}"
    if share <= OWNED:
        yield Passed(observed=observed, expected=expected)
        return
    verified = confirmation.state(treatments, *FIXES) is FixState.VERIFIED
    yield Finding(
        title=f"1 % of the rows carry {share:.0%} of the squared error",
        message=f"After training {observed}."
        + (" A loss that weighs them less is clearly better." if verified else " Look at them first."),
        severity=Severity.WARNING if verified else Severity.INFO,
        confidence=Confidence.HIGH if verified else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs",),
        fixes=FIXES,
        key="loss",
    )
