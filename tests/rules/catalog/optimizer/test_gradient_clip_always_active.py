"""Does gradient clipping change nearly every step?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.optimizer.gradient_clip_always_active import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

CLIPPED = make.spec(gradient_clip_norm=0.01, optimizer={"name": "sgd"})
SGD = make.optimizer_profile(name="SGD", settings={"momentum": 0.9})


def runs(*norms: float) -> Record:
    return make.curves(runs=tuple(make.curve_run(seed=s, gradient_norms=norms) for s in range(3)))


HIGHER = make.treatments(make.treatment(patch={"gradient_clip_norm": 2.0}, transforms=()))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a limit far below the usual norm is a hint": (
        (CLIPPED, SGD, runs(*(2.0,) * 100)),
        Severity.INFO,
        Confidence.LOW,
        "active in 100%",
    ),
    "a higher limit is clearly better": (
        (CLIPPED, SGD, runs(*(2.0,) * 100), HIGHER),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a limit above the usual norm": ((make.spec(gradient_clip_norm=5.0), SGD, runs(*(2.0,) * 100)), "passed"),
    "clipping in the first steps": (
        (make.spec(gradient_clip_norm=1.0), SGD, runs(*(9.0,) * 10, *(0.5,) * 90)),
        "passed",
    ),
    "no limit": ((make.spec(), SGD, runs(*(2.0,) * 100)), "not_applicable"),
    "Adam, whose steps have no scale": ((CLIPPED, make.optimizer_profile(), runs(*(2.0,) * 100)), "not_applicable"),
    "a run without norms": ((CLIPPED, SGD, runs()), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
