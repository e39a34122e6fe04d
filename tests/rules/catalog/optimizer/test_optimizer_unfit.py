"""Would another optimizer train this model better?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.optimizer.optimizer_unfit import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(optimizer={"name": "sgd", "lr": 3e-3})
SGD = make.optimizer_profile(name="SGD", settings={"momentum": 0})
SCAN = make.lr_scan(user_lr=3e-3)
SLOW = make.curves(
    runs=tuple(make.curve_run(seed=s, reading=make.curve_reading(classes=("underfit", "late_start"))) for s in range(3))
)
ADAM = {"optimizer.name": "adam", "optimizer.lr": 1e-3, "optimizer.momentum": None}
HELPED = make.treatments(make.treatment(patch=ADAM, transforms=()))
WORSE = make.treatments(make.treatment(patch=ADAM, transforms=(), before=(0.9,) * 3, after=(0.8,) * 3))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a slow curve with plain SGD is a hint": ((SPEC, SGD, SLOW, SCAN), Severity.INFO, Confidence.LOW, "late start"),
    "Adam is clearly better": ((SPEC, SGD, SLOW, SCAN, HELPED), Severity.WARNING, Confidence.HIGH, "does not suit"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a good fit with SGD": ((SPEC, SGD, make.curves(), SCAN), "passed"),
    "Adam is not better": ((SPEC, SGD, SLOW, SCAN, WORSE), "passed"),
    "Adam already": ((SPEC, make.optimizer_profile(), SLOW, SCAN), "not_applicable"),
    "a factory of the user's own": (
        (make.spec(optimizer={"factory": "project:make"}), SGD, SLOW, SCAN),
        "not_applicable",
    ),
    "a learning rate that is off": ((SPEC, SGD, SLOW, make.lr_scan(user_lr=3e-3, proposal=0.3)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
