"""Has Adagrad's own rate faded before the model has learned?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.optimizer.adagrad_rate_vanishes import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(optimizer={"name": "adagrad", "lr": 0.01})
ADAGRAD = make.optimizer_profile(name="Adagrad", settings={"eps": 1e-10})


def runs(half: float, *classes: str) -> Record:
    trace = make.layer_trace(
        updates=(0, 64, 320, 639),
        gradient_norm=(1.0,) * 4,
        weight_norm=(1.0,) * 4,
        update_ratio=(0.1, 0.008, half, half),
    )
    reading = make.curve_reading(classes=classes)
    return make.curves(runs=tuple(make.curve_run(seed=s, layers=(trace,), reading=reading) for s in range(3)))


ADAM = {"optimizer.name": "adam", "optimizer.lr": 1e-3, "optimizer.momentum": None}
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a faded rate and a curve that is not done": (
        (SPEC, ADAGRAD, runs(1e-4, "underfit")),
        Severity.INFO,
        Confidence.LOW,
        "1% as far",
    ),
    "Adam is clearly better": (
        (SPEC, ADAGRAD, runs(1e-4, "underfit"), make.treatments(make.treatment(patch=ADAM, transforms=()))),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a rate that is still there": ((SPEC, ADAGRAD, runs(5e-3, "underfit")), "passed"),
    "a faded rate at the end of a good run": ((SPEC, ADAGRAD, runs(1e-4, "good_fit")), "passed"),
    "Adam": ((make.spec(), make.optimizer_profile(), make.curves()), "not_applicable"),
    "layers that were not traced": (
        (SPEC, ADAGRAD, make.curves(runs=tuple(make.curve_run(seed=s, layers=()) for s in range(3)))),
        "unjudged",
    ),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
