"""Were many configurations chosen by the score that is reported?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.evidence.steps import CoarseSearch, Curves, FineSearch
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The best score was chosen on the rows that it is quoted for",
    why="The best of many tries is partly the luckiest, so its score on those rows promises too much.",
    since="0.1",
    references=("Cawley and Talbot 2010, On over-fitting in model selection",),
)
MANY = 10  # configurations
EXPECTED_MAXIMUM = ((100, 2.5), (50, 2.2), (20, 1.9), (10, 1.5))  # of n standard normal draws, in sd
WORTH_SAYING = 0.01  # one point
SHARES = ("accuracy", "balanced_accuracy", "f1", "r2")


def check(
    spec: TrainingSpec, data: DataProfile, curves: Curves, coarse: CoarseSearch | None, fine: FineSearch | None
) -> Iterator[Finding | Passed]:
    if not spec.search and spec.early_stopping is None:
        raise NotApplicable("the spec chooses nothing by the validation score; the searches here are ours")
    if data.test_rows is None:
        raise Unjudged("whether the data come with a test set was not recorded")
    expected = "a third set of rows, used once"
    if data.test_rows > 0:
        yield Passed(observed=f"a test set of {data.test_rows:,} rows", expected=expected)
        return
    if curves.metric not in SHARES or curves.standard_error is None:
        raise Unjudged("the standard error of the metric is not known")
    searches = [search for search in (coarse, fine) if search is not None]
    tried = len({str(sorted(trial.values.items())) for search in searches for trial in search.trials})
    bias = next((sd * curves.standard_error for count, sd in EXPECTED_MAXIMUM if tried >= count), 0.0)
    observed = f"{tried} configurations compared on the {curves.validation_rows:,} validation rows"
    if tried < MANY or bias <= WORTH_SAYING:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"The best of {tried} scores may be {100 * bias:.1f} points too good",
        message=f"{tried} configurations were compared on the same {curves.validation_rows:,} validation rows. "
        f"The score of the best is too good by at most {100 * bias:.1f} points ({curves.metric}).",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/standard_error", "/steps/curves/value/validation_rows"),
        fixes=(
            Fix(title="Keep a third set", advice="return `(train, validation, test)` and quote the test score once"),
        ),
        key="data",
    )
