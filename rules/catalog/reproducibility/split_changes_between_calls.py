"""Is the validation set the same one each time?"""

import math
from collections.abc import Iterator

from diagnoser.evidence.preflight import Repeatability
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The split changes from call to call",
    why="Scores on different validation rows cannot be compared, and a resumed run meets rows it was trained on.",
    since="0.1",
    references=("https://scikit-learn.org/stable/common_pitfalls.html#controlling-randomness",),
)
CHANGED = 0.01  # share of validation rows
AFRESH = 0.99  # share of all rows that never come again: drawn anew by design, there is no split to keep


def check(repeated: Repeatability) -> Iterator[Finding | Passed]:
    split, union = repeated.split_difference, repeated.union_difference
    if not math.isfinite(split):
        raise Unjudged("the rows are too many to be read twice in the time that this has")
    observed = f"{split:.0%} of the validation rows change between two calls"
    if split <= CHANGED:
        yield Passed(observed=observed, expected="none")
        return
    if union >= AFRESH:
        raise NotApplicable("the data factory draws new data in each call, so there is no split to keep")
    yield Finding(
        title=f"{split:.0%} of the validation rows change between two calls",
        message=f"The data factory was called twice under different seeds: {split:.0%} of the validation rows changed, "
        f"while {1 - union:.0%} of all rows came again. One call trains on rows that another one validates on.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected="none",
        evidence=(
            "/steps/preflight/repeatability/value/split_difference",
            "/steps/preflight/repeatability/value/union_difference",
        ),
        fixes=(Fix(title="Fix the split", advice="`random_state=0`, or a generator with a seed of its own"),),
        key="data",
        subject="split",
    )
