"""Do the inputs hold NaN or infinity?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Outcome, Transform
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Inputs hold NaN or infinity",
    why="One NaN in a batch makes the loss, every gradient and then every weight NaN: nothing after it is training.",
    since="0.1",
    references=("https://scikit-learn.org/stable/modules/impute.html",),
)
FILL = Fix(title="Fill them with the median of the training rows", transforms=(Transform.IMPUTE_INPUTS,))
BROKEN_BY_IT = ("non-finite-loss", "small-set-not-memorised", "no-learning-rate-works", "nothing-learned")


def check(data: DataProfile, curves: Curves | None) -> Iterator[Finding | Passed]:
    splits = {"training": data.train, "validation": data.validation}
    bad = {name: split for name, split in splits.items() if split.non_finite_values}
    read = f"{data.train.rows_read:,} training and {data.validation.rows_read:,} validation rows read"
    if not bad:
        yield Passed(observed=f"none in {read}", expected="none")
        return
    masked = curves is not None and _trains_all_the_same(curves)
    for name, split in bad.items():
        observed = f"{split.non_finite_values:,} in {split.rows_read:,} {name} rows"
        rows = ", ".join(str(row) for row in split.non_finite_rows)
        columns = ", ".join(str(column) for column in split.non_finite_columns)
        where = "".join(
            f" {what} {places}" for what, places in (("Rows", rows), ("Columns", columns)) if places
        )  # at most ten of each are recorded
        yield Finding(
            title=f"{split.non_finite_values:,} {name} inputs are NaN or infinite",
            message=f"There are NaN or infinite inputs: {observed}."
            + (f" First seen at:{where.lower()}." if where else "")
            + (" The model seems to mask them: its loss stays finite." if masked else ""),
            severity=Severity.INFO if masked else Severity.ERROR,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed=observed,
            expected="none",
            evidence=(f"/steps/preflight/data/value/{'train' if name == 'training' else name}/non_finite_values",),
            fixes=(
                *(() if masked else (FILL,)),
                Fix(title="Impute or drop the listed rows", advice=f"look at{where.lower() or ' the inputs'}"),
            ),
            explains=() if masked else BROKEN_BY_IT if name == "training" else ("nothing-learned",),
            key="data",
            subject=f"{name} inputs",
        )


def _trains_all_the_same(curves: Curves) -> bool:
    """Whether every run ended with finite losses on both splits: then the model handles NaN itself."""
    return bool(curves.runs) and all(
        run.outcome is Outcome.COMPLETED
        and all(is_finite(loss) for loss in run.batch_losses)
        and bool(run.validation_loss)
        and all(is_finite(loss) for loss in run.validation_loss)
        for run in curves.runs
    )
