"""Does the model give up rare classes?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.labels.label_imbalance import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

UNEVEN = make.data_profile(
    targets=make.target_profile(distinct=2, counts=(950, 50), validation_counts=(380, 20), kind="binary")
)


def runs(*recalls: float, metric: float = 0.95) -> Curves:
    run = make.curve_run(recalls=recalls, validation_metric=(0.9, metric))
    return make.curves(runs=(run, run, run))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "the rare class is never found": ((UNEVEN, runs(1.0, 0.0)), Severity.WARNING, Confidence.MEDIUM, "majority class"),
    "the rare class is hardly found": (
        (UNEVEN, runs(0.99, 0.05, metric=0.943)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "5%",
    ),
    "class weights help": (
        (
            UNEVEN,
            runs(1.0, 0.0),
            make.treatments(make.treatment(transforms=(Transform.WEIGHT_CLASSES,), metric="balanced_accuracy")),
        ),
        Severity.WARNING,
        Confidence.HIGH,
        "19 : 1",
    ),
    "focal loss helps": (
        (UNEVEN, runs(1.0, 0.0), make.treatments(make.treatment(transforms=(), patch={"loss": "focal_loss"}))),
        Severity.WARNING,
        Confidence.HIGH,
        "19 : 1",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "even classes": ((make.data_profile(),), "passed"),
    "uneven, and the rare class is found": ((UNEVEN, runs(0.99, 0.8, metric=0.98)), "passed"),
    "uneven, not trained yet": ((UNEVEN,), "unjudged"),
    "real targets": ((make.data_profile(targets=make.target_profile(kind="real")),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
