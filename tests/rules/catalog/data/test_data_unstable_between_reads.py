"""Does the same row read twice give the same numbers?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.data_unstable_between_reads import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "augmented validation": (
        (make.data_profile(reads_differ=True), make.assumptions()),
        Severity.WARNING,
        Confidence.HIGH,
        "random transform",
    ),
    "rows changed in place": (
        (make.data_profile(training_changes=True), make.assumptions()),
        Severity.WARNING,
        Confidence.HIGH,
        "in place",
    ),
    "noise by design is a remark": (
        (make.data_profile(reads_differ=True), make.assumptions(task="custom")),
        Severity.INFO,
        Confidence.HIGH,
        "may be meant",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "stable rows": ((make.data_profile(), make.assumptions()), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
