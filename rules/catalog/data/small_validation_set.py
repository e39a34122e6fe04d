"""Is the validation set large enough to tell a good model from a lucky one?"""

from collections.abc import Iterator
from math import isfinite

from diagnoser.evidence.preflight import Baselines, DataProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The validation set is small",
    why="With few rows the score is mostly luck: differences smaller than its error bar mean nothing.",
    since="0.1",
    references=("https://www.itl.nist.gov/div898/handbook/prc/section2/prc242.htm",),
)
WIDEST = 0.05  # half-width of the 95 % interval
NORMAL_95 = 1.96
SHARES = ("accuracy", "balanced_accuracy", "f1", "r2")


def check(data: DataProfile, baselines: Baselines | None, curves: Curves | None) -> Iterator[Finding | Passed]:
    rows = data.validation.rows
    if rows == 0:
        yield Finding(
            title="There is no validation set",
            message="The validation set holds no rows, so nothing can be said about data that the model has not seen.",
            severity=Severity.WARNING,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed="0 rows",
            expected="some hundred rows",
            evidence=("/steps/preflight/data/value/validation/rows",),
            fixes=(Fix(title="Hold rows out", advice="keep a tenth to a fifth of the rows for validation"),),
            key="data",
            subject="validation rows",
        )
        return
    if curves is not None and curves.standard_error is not None:
        metric, error, pointer = curves.metric, curves.standard_error, "/steps/curves/value/standard_error"
    elif baselines is not None:
        metric, error = baselines.metric, baselines.standard_error
        pointer = "/steps/preflight/baselines/value/standard_error"
    else:
        raise Unjudged("the standard error of the metric is not known")
    if metric not in SHARES:
        raise NotApplicable(f"{metric} has no scale on which five points would be much or little")
    if not isfinite(error):
        raise Unjudged("the standard error of the metric is not known")
    half = NORMAL_95 * error
    observed = f"{metric} ± {100 * half:.1f} points on {rows:,} rows"
    expected = f"± {100 * WIDEST:.0f} points or less"
    if half <= WIDEST:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"{rows:,} validation rows leave {metric} uncertain by ± {100 * half:.0f} points",
        message=f"On {rows:,} validation rows the 95 % interval of {metric} is ± {100 * half:.1f} points wide: "
        "two models closer than that cannot be told apart.",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=(pointer, "/steps/preflight/data/value/validation/rows"),
        fixes=(Fix(title="Judge on more rows", advice="hold out more rows, or cross-validate"),),
        key="data",
        subject="validation rows",
    )
