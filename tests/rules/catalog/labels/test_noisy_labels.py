"""Do equal inputs carry different labels?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.labels.noisy_labels import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN = make.assumptions()
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a tenth of the rows contradict": (
        (make.data_profile(contradiction_share=0.1), KNOWN),
        Severity.WARNING,
        Confidence.HIGH,
        "100 training rows",
    ),
    "a small table is ambiguous by nature": (
        (make.data_profile(contradiction_share=0.3, duplicate_share_by_chance=0.6), KNOWN),
        Severity.INFO,
        Confidence.MEDIUM,
        "nature of the task",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "consistent labels": ((make.data_profile(), KNOWN), "passed"),
    "text": ((make.data_profile(contradiction_share=0.4), make.assumptions(task="language_model")), "not_applicable"),
    "real targets": (
        (make.data_profile(targets=make.target_profile(kind="real"), contradiction_share=0.4), KNOWN),
        "not_applicable",
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
