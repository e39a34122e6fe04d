"""Does augmentation cost more than it brings?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.augmentation_too_strong import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

PLAIN = {"factory": "project:build_data", "plain_args": {"augment": False}}
SPEC = make.spec(data=PLAIN)
HARD = make.curves(runs=tuple(make.curve_run(smoothed=(2.3, 1.2)) for _ in range(3)))
PATCH = {"data.args": {"augment": False}}
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "training rows are much harder": ((SPEC, HARD), Severity.INFO, Confidence.LOW, "times that on clean"),
    "the plain run is clearly better": (
        (SPEC, HARD, make.treatments(make.treatment(transforms=(), patch=PATCH))),
        Severity.WARNING,
        Confidence.HIGH,
        "times lower",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "training rows are as easy": ((SPEC, make.curves()), "passed"),
    "no switch in the spec": ((make.spec(), make.curves()), "not_applicable"),
    "no losses": ((SPEC, make.curves(runs=())), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
