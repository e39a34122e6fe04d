"""Did early stopping end the run too soon?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.epochs.early_stopping_too_impatient import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

ASSUMED = make.assumptions()


def spec(patience: int) -> Record:
    return make.spec(early_stopping={"patience": patience})


def runs(updates: int) -> Record:
    return make.curves(
        runs=tuple(make.curve_run(seed=s, updates=updates, stopped_by="early_stopping") for s in range(3))
    )


def tried(after: float) -> Record:
    return make.treatments(
        make.treatment(patch={"early_stopping.patience": 4}, transforms=(), before=(0.7, 0.7, 0.7), after=(after,) * 3)
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a patience of one that ends the run": ((spec(1), ASSUMED, runs(200)), Severity.INFO, Confidence.LOW, "31%"),
    "a patient run is clearly better": (
        (spec(1), ASSUMED, runs(200), tried(0.8)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "a stop in the first quarter at any patience": (
        (spec(6), ASSUMED, runs(150)),
        Severity.INFO,
        Confidence.LOW,
        "23%",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "no early stopping": ((make.spec(), ASSUMED, make.curves()), "not_applicable"),
    "a run that ends by itself": ((spec(1), ASSUMED, make.curves()), "passed"),
    "a late stop": ((spec(1), ASSUMED, runs(620)), "passed"),
    "a usual patience in the second half": ((spec(6), ASSUMED, runs(400)), "passed"),
    "a patient run that is no better": ((spec(1), ASSUMED, runs(200), tried(0.6)), "passed"),
    "a patient run that gains less than a point": ((spec(1), ASSUMED, runs(200), tried(0.708)), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
