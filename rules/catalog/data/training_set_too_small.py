"""Does validation still gain from more rows, although the training rows are known by heart?"""

from collections.abc import Iterator

from diagnoser.evidence.steps import Curves, LearningPoint
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome
from rules import user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The training set is too small",
    why="A model that knows every training row learns nothing more from them: only other rows can teach it the rest.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#accuracy",),
)
CEILING = 0.99  # of the training metric: all that these rows can teach was learned (CATALOGUE)
GAIN = 0.02  # of validation, from half of the rows to all of them (CATALOGUE)
SURE = 2.0  # standard errors of the validation metric
ALL_SEEDS = 3  # of which each gains: a control in so many is of high confidence (CATALOGUE, third law)


def check(spec: TrainingSpec, curves: Curves) -> Iterator[Finding | Passed]:
    if not user_runs.is_share(curves):
        raise NotApplicable(f"the metric, {curves.metric}, has no scale on which a gain could be judged")
    end = user_runs.middle(user_runs.last(run.train_metric) for run in user_runs.ours(curves))
    if end is None:
        raise NotApplicable("no training metric stands beside the validation metric")
    expected = f"at most {GAIN:.0%} gained from half of the rows to all of them"
    if end < CEILING:
        yield Passed(
            observed=f"the training {curves.metric} is {end:.3f}: these rows have more to teach", expected=expected
        )
        return
    if curves.learning_curve is None:
        if spec.protocol.preset != "thorough":
            raise NotApplicable("it is asked in the preset thorough, which repeats the run on a part of the rows")
        raise Unjudged("there was no time to repeat the run on a part of the rows")
    points = {point.share: point for point in curves.learning_curve}
    half, whole = points.get(0.5), points.get(1.0)
    gains = _gains(half, whole)
    if half is None or whole is None or len(gains) < user_runs.ENOUGH_SEEDS:
        raise Unjudged("fewer than two seeds came to their end on half of the rows")
    gain = user_runs.middle(gains) or 0.0
    observed = f"{gain:+.1%} validation {curves.metric} from {half.rows:,} rows to {whole.rows:,}"
    least = max(GAIN, SURE * (curves.standard_error or 0.0))
    known = (user_runs.middle(half.train_metric) or 0.0) >= CEILING and (
        user_runs.middle(whole.train_metric) or 0.0
    ) >= CEILING
    if not known or not user_runs.in_most(one > least for one in gains):
        yield Passed(observed=observed, expected=expected)
        return
    steps = " to ".join(
        f"{user_runs.middle(point.validation_metric) or 0.0:.3f} with {point.rows:,} rows"
        for point in curves.learning_curve
    )
    sure = len(gains) >= ALL_SEEDS and all(one > least for one in gains)
    yield Finding(
        title=f"{whole.rows:,} training rows are too few",
        message=f"In as many updates the validation {curves.metric} goes from {steps}, while every training row is "
        "known: more rows would go on helping.",
        severity=Severity.INFO,
        confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/learning_curve", "/steps/curves/value/standard_error"),
        fixes=(
            Fix(
                title="More rows, or less freedom",
                advice="collect more rows; else augmentation, pretrained weights, or a smaller model",
            ),
        ),
        explains=("overfitting", "model-too-large-for-data"),
        key="data",
    )


def _gains(half: LearningPoint | None, whole: LearningPoint | None) -> list[float]:
    """Validation on all rows minus validation on half of them, of each seed that came to its end on both."""
    if half is None or whole is None:
        return []
    ends = [
        {
            seed: value
            for seed, outcome, value in zip(point.seeds, point.outcomes, point.validation_metric, strict=True)
            if outcome is Outcome.COMPLETED and value is not None and is_finite(value)
        }
        for point in (half, whole)
    ]
    return [ends[1][seed] - ends[0][seed] for seed in ends[0] if seed in ends[1]]
