"""Is the target among the inputs?"""

from collections.abc import Iterator
from math import prod

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="A column is the target",
    why="A model that reads the answer off its input scores perfectly, until the column is missing in use.",
    since="0.1",
    references=("Kaufman et al. 2012, Leakage in data mining",),
)
SAME_ORDER = 0.9999  # absolute rank correlation
ENOUGH_VALUES = 100  # distinct targets: fewer, and a perfect order may be a definition
FEWEST_COLUMNS = 3


def check(data: DataProfile) -> Iterator[Finding | Passed]:
    if data.input_kind != "table":
        raise NotApplicable("the inputs are no table")
    if data.targets.kind != "real":
        raise NotApplicable("the targets are no real numbers")
    if prod(data.input_shape) < FEWEST_COLUMNS:
        raise NotApplicable(f"with fewer than {FEWEST_COLUMNS} columns, one that gives the target is the task itself")
    if data.leaking_correlation is None or data.leaking_column is None:
        raise Unjudged("the columns could not be compared with the target")
    if data.targets.distinct < ENOUGH_VALUES:
        raise Unjudged(f"only {data.targets.distinct} different targets: too few to tell a leak from a rule")
    strength = abs(data.leaking_correlation)
    observed = f"column {data.leaking_column} orders the rows like the target (rank correlation {strength:.5f})"
    expected = f"below {SAME_ORDER}"
    if strength <= SAME_ORDER:
        yield Passed(observed=f"rank correlation at most {strength:.3f}", expected=expected)
        return
    yield Finding(
        title=f"Column {data.leaking_column} is the target",
        message=f"Column {data.leaking_column} orders the rows exactly like the target "
        f"(rank correlation {strength:.5f} over {data.targets.distinct:,} different values).",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # one is a monotonic function of the other
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/leaking_correlation", "/steps/preflight/data/value/leaking_column"),
        fixes=(Fix(title=f"Leave column {data.leaking_column} out", advice="drop the column, and train again"),),
        key="data",
        subject=f"column {data.leaking_column}",
    )
