"""Is there anything to learn: do the targets vary at all?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="All targets are the same",
    why="When every answer is the same, a constant is perfect: the loss falls to zero and nothing was learned.",
    since="0.1",
)
EMPTIED = ("label-imbalance", "nothing-learned", "loss-and-metric-disagree", "features-misaligned-with-labels")


def check(assumptions: Assumptions, data: DataProfile) -> Iterator[Finding | Passed]:
    targets = data.targets
    if targets.kind == "none" or assumptions.task is Task.CUSTOM:
        raise NotApplicable("the task is defined by the user's own step, not by targets")
    observed = f"{targets.distinct:,} different targets, std {targets.std:.3g}"
    if targets.distinct > 1 and targets.std != 0:
        yield Passed(observed=observed, expected="at least 2")
        return
    yield Finding(
        title=f"Every target is {targets.mean:g}",
        message=f"All targets of both splits are {targets.mean:g}. "
        "The classic cause: integer labels divided by 255 together with the pictures.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected="at least 2 different targets",
        evidence=("/steps/preflight/data/value/targets/distinct", "/steps/preflight/data/value/targets/std"),
        fixes=(
            Fix(title="Return the targets as they are", advice="scale inputs, never labels; check where they are read"),
        ),
        explains=EMPTIED,
        key="data",
        subject="targets",
    )
