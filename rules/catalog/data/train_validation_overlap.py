"""Do rows of the training set stand in validation too?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Validation rows occur in training",
    why="A model may simply remember them, so the validation score promises more than new data will keep.",
    since="0.1",
    references=("Kapoor and Narayanan 2023, Leakage and the reproducibility crisis in ML-based science",),
)
LEAST = 0.005  # share of validation rows
TIMES_CONTROL = 2.0  # two random halves of training share that much when rows repeat naturally
ALL = 0.95
COPIES = 0.9  # of a column's values differ among rows that differ: measurements so fine do not repeat by themselves
MANY_COPIES = 0.1  # of the validation rows: a score may be too good by as much
SURPRISE = 1e-3  # binomial: so many shared rows, had they come by the control's rate or one row in the training set


def check(data: DataProfile) -> Iterator[Finding | Passed]:
    from scipy.special import bdtrc  # not scipy.stats, which takes a second to import

    rows = data.validation.rows_read
    if rows == 0:
        raise NotApplicable("there are no validation rows")
    shared = round(data.overlap_share * rows)
    observed = f"{data.overlap_share:.1%} of the validation rows ({shared:,} of {rows:,})"
    expected = f"about {data.overlap_control:.1%}, as between two halves of training"
    by_nature = min(1.0, max(TIMES_CONTROL * data.overlap_control, 1 / max(1, data.train.rows)))
    surprise = float(bdtrc(shared - 1, rows, by_nature)) if shared else 1.0
    if data.overlap_share <= max(LEAST, TIMES_CONTROL * data.overlap_control) or surprise > SURPRISE:
        # Rows that were multiplied before the split are shared by the halves of training as well: no control then.
        copies = data.distinct_in_a_column is not None and data.distinct_in_a_column >= COPIES
        if copies and data.overlap_share > MANY_COPIES:
            yield _copies(data, observed)
        else:
            yield Passed(observed=observed, expected=expected)
        return
    whole = data.overlap_share >= ALL
    yield Finding(
        title="Validation is the training set"
        if whole
        else f"{data.overlap_share:.1%} of validation occurs in training",
        message=f"{shared:,} of {rows:,} validation rows, input and target, stand in the training set as well; "
        f"two random halves of the training set share {data.overlap_control:.1%}. "
        "Every figure measured on validation is too good.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # counted, and a control
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/overlap_share", "/steps/preflight/data/value/overlap_control"),
        fixes=(
            Fix(
                title="Split before anything else",
                advice="drop the shared rows from validation; deduplicate, then split (by group where rows belong "
                "together), and only then augment or oversample",
            ),
        ),
        key="data",
        subject="validation rows",
    )


def _copies(data: DataProfile, observed: str) -> Finding:
    return Finding(
        title=f"Rows were multiplied before the split: {data.overlap_share:.0%} of validation occurs in training",
        message=f"{data.overlap_share:.0%} of the validation rows stand in the training set, where "
        f"{data.duplicate_share:.0%} of the rows occur more than once. They are copies: the rows hold measurements so "
        "fine that no two different rows agree in all of them. Figures on validation are too good.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # counted; chance is out of the question
        observed=observed,
        expected="copies on one side of the split only",
        evidence=("/steps/preflight/data/value/overlap_share", "/steps/preflight/data/value/distinct_in_a_column"),
        fixes=(Fix(title="Split first, then oversample the training part", advice="drop the copies before the split"),),
        explains=("duplicate-training-rows",),
        key="data",
        subject="validation rows",
    )
