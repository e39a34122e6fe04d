"""Do loss and metric tell the same story?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.loss_and_metric_disagree import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

STUCK = tuple(
    make.curve_run(
        seed=seed, validation_loss=(2.0, 1.6, 1.2, 0.9, 0.7), validation_metric=(0.5, 0.505, 0.5, 0.502, 0.501)
    )
    for seed in range(3)
)
REAL = make.data_profile(targets=make.target_profile(kind="real", distinct=900))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "accuracy on prices": ((REAL, make.curves()), Severity.WARNING, Confidence.HIGH, "900 different"),
    "the metric does not follow": (
        (make.data_profile(), make.curves(runs=STUCK)),
        Severity.INFO,
        Confidence.LOW,
        "stays at 0.501",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "both move": ((make.data_profile(), make.curves()), "passed"),
    "a metric at chance is another rule's": (
        (make.data_profile(), make.curves(runs=STUCK), make.baselines(chance=0.5)),
        "passed",
    ),
    "no error bar": ((make.data_profile(), make.curves(standard_error=None)), "unjudged"),
    "two evaluations": (
        (make.data_profile(), make.curves(runs=(make.curve_run(validation_loss=(2.0, 1.0)),))),
        "unjudged",
    ),
    "the metric is the loss": ((make.data_profile(), make.curves(metric="loss")), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
