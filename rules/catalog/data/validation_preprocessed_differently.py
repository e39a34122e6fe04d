"""Were training and validation inputs prepared in the same way?"""

from collections.abc import Iterator
from math import sqrt

from diagnoser.evidence.preflight import Baselines, DataProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Validation inputs are prepared differently",
    why="A model judged on inputs in another scale than it was trained on is judged on something it has never seen.",
    since="0.1",
    references=("https://scikit-learn.org/stable/common_pitfalls.html#inconsistent-preprocessing",),
)
FAR = 3.0  # training std, median over features; the mean of n rows strays by 1/√n of it
TIMES = 10.0  # ratio of the overall std, either way
FEWEST_ROWS = 30  # below it the moments themselves are uncertain
SPOILED = ("nothing-learned", "overfitting", "training-past-best-epoch")


def check(data: DataProfile, baselines: Baselines | None, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    rows = data.validation.rows_read
    if data.input_kind == "tokens":
        raise NotApplicable("the inputs are tokens")
    if rows < FEWEST_ROWS:
        raise Unjudged(f"moments cannot be compared on {rows} validation rows")
    if not (is_finite(data.validation_shift) and is_finite(data.validation_std_ratio)):
        raise Unjudged(
            "the inputs hold values that are not finite, or do not vary, so their moments cannot be compared"
        )
    shift, ratio = data.validation_shift, data.validation_std_ratio
    observed = f"means {shift:.2f} training std apart, std {ratio:.3g} times that of training"
    expected = f"less than {FAR:g} std apart ({1 / sqrt(rows):.2f} by chance), std ratio near 1"
    if shift <= FAR and 1 / TIMES <= ratio <= TIMES:
        yield Passed(observed=observed, expected=expected)
        return
    ordered = data.input_kind == "sequence"  # a time series may drift: only an experiment could tell
    lost = baselines is not None and _only_validation_fails(baselines)
    fix = Fix(
        title="Use one transform for both splits",
        transforms=(Transform.VALIDATION_AS_TRAINING,),
        advice="fit it on the training rows, and apply the same numbers to validation"
        + (f"; a ratio of {max(ratio, 1 / ratio):.0f} tells where to look" if ratio > 0 else ""),
    )
    verified = confirmation.state(treatments, fix) is FixState.VERIFIED
    sure = lost or (verified and not ordered)  # what drifts may gain by it too
    yield Finding(
        title=f"Validation inputs are {shift:.1f} std away, {ratio:.3g} times as wide",
        message=f"The validation inputs lie {shift:.1f} training std from the training inputs (median over features), "
        f"and their std is {ratio:.3g} times as large; two samples of one set would differ by {1 / sqrt(rows):.2f}."
        + (" A simple model that works on held-out training rows fails on them." if lost else "")
        + (" With both in one scale your model is clearly better on validation." if verified else ""),
        severity=Severity.ERROR if lost or not ordered else Severity.INFO,
        confidence=Confidence.HIGH if sure else Confidence.LOW if ordered else Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/data/value/validation_shift",
            "/steps/preflight/data/value/validation_std_ratio",
        ),
        fixes=(fix,),
        explains=SPOILED if lost or not ordered else (),
        key="data",
        subject="validation inputs",
    )


def _only_validation_fails(baselines: Baselines) -> bool:
    """Whether a simple model scores on held-out training rows and, by five standard errors, not on validation."""
    best = max((score.validation for score in baselines.scores if score.name != "majority"), default=None)
    held_out = baselines.held_out_training
    return best is not None and held_out is not None and held_out - best > 5 * baselines.standard_error
