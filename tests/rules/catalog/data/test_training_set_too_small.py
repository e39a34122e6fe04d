"""Does validation still gain from more rows, although the training rows are known by heart?"""

import pytest

from diagnoser.evidence.steps import Curves, LearningPoint
from diagnoser.findings import Confidence, Severity
from diagnoser.trials import Outcome
from rules.catalog.data.training_set_too_small import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def point(share: float, *validation: float, train: float = 1.0) -> LearningPoint:
    return LearningPoint(
        share=share,
        rows=round(share * 1000),
        seeds=tuple(range(len(validation))),
        outcomes=(Outcome.COMPLETED,) * len(validation),
        train_metric=(train,) * len(validation),
        validation_metric=validation,
    )


QUARTER, HALF, ALL = point(0.25, 0.80, 0.81, 0.79), point(0.5, 0.88, 0.87, 0.89), point(1.0, 0.94, 0.95, 0.94)
BROKEN = HALF.model_copy(update={"outcomes": (Outcome.COMPLETED, Outcome.TIMED_OUT, Outcome.DIVERGED)})


def curves(*points: LearningPoint, train: float = 1.0, **changes: object) -> Curves:
    runs = tuple(make.curve_run(seed=seed, train_metric=(0.5, train)) for seed in range(3))
    return make.curves(**{"runs": runs, "learning_curve": points or None, **changes})


FIRES: dict[str, tuple[Curves, Confidence, str]] = {
    "five points gained in every seed": (curves(QUARTER, HALF, ALL), Confidence.HIGH, "0.880 with 500 rows"),
    "two seeds of three": (
        curves(QUARTER, HALF, point(1.0, 0.94, 0.88, 0.94)),
        Confidence.MEDIUM,
        "1,000 training rows are too few",
    ),
    "only two seeds fitted": (
        curves(point(0.25, 0.8, 0.8), point(0.5, 0.88, 0.87), point(1.0, 0.94, 0.95)),
        Confidence.MEDIUM,
        "more rows would go on helping",
    ),
}
THOROUGH = make.spec(protocol={"preset": "thorough"})
SILENT: dict[str, tuple[Curves, str]] = {
    "a healthy run without time for more": (curves(), "unjudged"),
    "training not at its ceiling": (curves(QUARTER, HALF, ALL, train=0.9), "passed"),
    "not at its ceiling on half of the rows": (curves(point(0.5, 0.88, 0.87, 0.89, train=0.9), ALL), "passed"),
    "a flat curve": (curves(QUARTER, point(0.5, 0.94, 0.95, 0.93), ALL), "passed"),
    "one seed of three": (curves(HALF, point(1.0, 0.94, 0.88, 0.89)), "passed"),
    "a gain within two standard errors": (curves(HALF, ALL, standard_error=0.05), "passed"),
    "runs that were cut short": (curves(BROKEN, ALL), "unjudged"),
    "no run on half of the rows": (curves(QUARTER, ALL), "unjudged"),
    "a metric without a scale": (curves(QUARTER, HALF, ALL, metric="mae"), "not_applicable"),
}


@pytest.mark.parametrize(("seen", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(seen: Curves, confidence: Confidence, words: str) -> None:
    finding = fired(check, THOROUGH, seen)
    assert (finding.severity, finding.confidence) == (Severity.INFO, confidence)
    assert words in f"{finding.title} {finding.message}"
    assert "overfitting" in finding.explains


@pytest.mark.parametrize(("seen", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(seen: Curves, answer: str) -> None:
    assert silent(check, THOROUGH, seen) == answer


def test_other_presets_do_not_ask() -> None:
    assert silent(check, make.spec(), curves()) == "not_applicable"
