"""Does the network fit its own training rows worse than a simple model does?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.regularisation.underfitting import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(train: float, validation: float, **changes: object) -> Curves:
    """Three runs that end there."""
    return make.curves(
        runs=tuple(
            make.curve_run(seed=seed, train_metric=(train,) * 20, validation_metric=(validation,) * 20, **changes)
            for seed in range(3)
        )
    )


RISING = make.curve_reading(classes=("good_fit", "still_improving"))
TEXT = make.baselines(
    metric="perplexity",
    standard_error=0.1,
    chance=27.6,
    scores=({"name": "bigram", "train": 11.6, "validation": 12.1},),
)


def text(perplexity: float) -> Curves:
    runs = tuple(
        make.curve_run(seed=seed, train_metric=(perplexity,) * 20, validation_metric=(perplexity + 0.05,) * 20)
        for seed in range(3)
    )
    return make.curves(metric="perplexity", higher_is_better=False, standard_error=0.1, runs=runs)


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "below a linear model": (
        (runs(0.80, 0.79), make.baselines()),
        Severity.WARNING,
        Confidence.MEDIUM,
        "linear model at 0.995",
    ),
    "still improving": (
        (runs(0.80, 0.79, reading=RISING), make.baselines()),
        Severity.INFO,
        Confidence.LOW,
        "still improving",
    ),
    "a text model worse than a bigram table": ((text(20.0), TEXT), Severity.WARNING, Confidence.MEDIUM, "bigram table"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "fits": ((make.curves(), make.baselines()), "passed"),
    "the linear model overfits, the network does not": ((runs(0.965, 0.95), make.baselines()), "passed"),
    "the linear model knows its rows by heart, and both answer new ones equally well": (
        (
            runs(0.965, 0.960),
            make.baselines(standard_error=0.01, scores=({"name": "linear", "train": 1.0, "validation": 0.960},)),
        ),
        "passed",
    ),
    "a text model below the bigram table": ((text(9.0), TEXT), "passed"),
    "a gap of its own is overfitting": ((runs(0.90, 0.60), make.baselines()), "passed"),
    "cut short": ((make.curves(runs=(make.curve_run(updates=100),)), make.baselines()), "unjudged"),
    "no simple model": (
        (make.curves(), make.baselines(scores=({"name": "knn", "train": None, "validation": 0.9},))),
        "unjudged",
    ),
    "another metric": ((make.curves(), make.baselines(metric="f1")), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
