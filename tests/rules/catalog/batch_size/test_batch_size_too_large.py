"""Are the batches so large that too few updates remain?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.batch_size.batch_size_too_large import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def spec(batch: int, **changes: object) -> Record:
    return make.spec(data={"factory": "project:build_data", "batch_size": batch}, **changes)


DATA = make.data_profile()
FEW = make.assumptions(total_updates=40)
MANY = make.assumptions()


def runs(*classes: str, train: float = 0.6) -> Record:
    reading = make.curve_reading(classes=classes)
    return make.curves(runs=tuple(make.curve_run(seed=s, reading=reading, train_metric=(0.3, train)) for s in range(3)))


SMALLER = {"data.batch_size": 128}
HELPED = make.treatments(make.treatment(patch=SMALLER, transforms=(), before=(0.6, 0.61, 0.6), after=(0.8, 0.8, 0.81)))
LITTLE = make.treatments(make.treatment(patch=SMALLER, transforms=(), before=(0.8,) * 3, after=(0.815,) * 3))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "forty updates in all are a hint": (
        (spec(512), FEW, DATA, runs("underfit")),
        Severity.INFO,
        Confidence.LOW,
        "40 updates",
    ),
    "large batches and a run that is not done": (
        (spec(512), MANY, DATA, runs("still_improving")),
        Severity.INFO,
        Confidence.LOW,
        "512 of 1,000",
    ),
    "smaller batches are clearly better": (
        (spec(512), FEW, DATA, runs("underfit"), HELPED),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "smaller batches gain little": (
        (spec(512), FEW, DATA, runs("underfit"), LITTLE),
        Severity.INFO,
        Confidence.LOW,
        "40 updates",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": ((spec(32), MANY, DATA, make.curves()), "passed"),
    "large batches and a finished run": ((spec(512), MANY, DATA, runs("good_fit")), "passed"),
    "few updates that were enough": ((spec(512), FEW, DATA, runs("good_fit", train=1.0)), "passed"),
    "a run given in steps": ((spec(512, steps=40, epochs=None), FEW, DATA, runs("underfit")), "not_applicable"),
    "batches of two": ((spec(2), FEW, DATA, runs("underfit")), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
