"""Does the training loss stand still on a high level?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.loss_plateaus import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(**changes: object) -> Record:
    flat = make.curve_reading(classes=("plateau",), loss_change_last_fifth=-0.0004)
    stuck = {"smoothed": (2.31, 2.25, 2.25), "validation_metric": (0.2, 0.2), "reading": flat}
    return make.curves(runs=tuple(make.curve_run(seed=s, **(stuck | changes)) for s in range(3)))


INITIAL, BASELINES = make.initial_loss(), make.baselines()
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a flat, high curve below a linear model": (
        (runs(), INITIAL, BASELINES),
        Severity.WARNING,
        Confidence.MEDIUM,
        "98% of the loss of a guess",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": ((make.curves(), INITIAL, BASELINES), "passed"),
    "a flat curve that beats the linear model": ((runs(validation_metric=(0.94, 0.95)), INITIAL, BASELINES), "passed"),
    "a flat, low curve": ((runs(smoothed=(2.31, 0.1, 0.1)), INITIAL, BASELINES), "passed"),
    "a rate that has decayed": ((runs(lrs=(1e-3, 1e-6)), INITIAL, BASELINES), "unjudged"),
    "a loss without theory": ((runs(), make.initial_loss(chance=None), BASELINES), "unjudged"),
    "another metric": ((runs(), INITIAL, make.baselines(metric="f1")), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
