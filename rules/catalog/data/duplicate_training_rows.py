"""Does the training set repeat itself?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Training rows repeat",
    why="Repeated rows count twice in the loss, and a data set that ignores its index trains on one row for ever.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/data.html#map-style-datasets",),
)
IGNORES_INDEX = 0.1  # distinct rows among up to 512 distinct indices
MANY = 0.1  # share of rows in groups of equals
ASKED = 512
BY_CHANCE = 0.5  # of the share seen: what columns permuted independently give


def check(data: DataProfile) -> Iterator[Finding | Passed]:
    asked = min(ASKED, data.train.rows_read)
    if asked < 2:
        raise NotApplicable("there is at most one training row")
    distinct = round(data.distinct_of_512 * asked)
    observed = f"{data.duplicate_share:.0%} of the training rows have an equal, {distinct} of {asked} indices differ"
    expected = f"at most {MANY:.0%} beyond what chance gives ({data.duplicate_share_by_chance:.0%})"
    beyond_chance = data.duplicate_share_by_chance < BY_CHANCE * data.duplicate_share
    if distinct <= 1 or (data.distinct_of_512 < IGNORES_INDEX and beyond_chance):
        rows = "row is" if distinct <= 1 else "rows are"
        yield Finding(
            title=f"{asked} indices give {max(distinct, 1)} different training {rows.split(maxsplit=1)[0]}",
            message=f"{asked} different indices were read, and only {max(distinct, 1)} different {rows} behind them: "
            "`__getitem__` seems to ignore its index.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,  # a count
            observed=observed,
            expected="one row for each index",
            evidence=("/steps/preflight/data/value/distinct_of_512",),
            fixes=(Fix(title="Return the row of the index", advice="use `index` in `__getitem__`"),),
            key="data",
            subject="training rows",
        )
        return
    if data.duplicate_share > MANY and beyond_chance:
        yield Finding(
            title=f"{data.duplicate_share:.0%} of the training rows are repeated",
            message=f"{data.duplicate_share:.0%} of the training rows occur more than once; "
            f"by chance it would be {data.duplicate_share_by_chance:.0%}.",
            severity=Severity.INFO,
            confidence=Confidence.MEDIUM,
            observed=observed,
            expected=expected,
            evidence=(
                "/steps/preflight/data/value/duplicate_share",
                "/steps/preflight/data/value/duplicate_share_by_chance",
            ),
            fixes=(Fix(title="Keep one of each", advice="deduplicate before the split"),),
            key="data",
            subject="training rows",
        )
        return
    yield Passed(observed=observed, expected=expected)
