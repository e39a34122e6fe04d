"""Is there anything to learn: do the targets vary at all?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.labels.targets_constant import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN = make.assumptions()
CONSTANT = make.data_profile(targets=make.target_profile(distinct=1, mean=0, std=0))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "labels divided by 255": ((KNOWN, CONSTANT), Severity.ERROR, Confidence.HIGH, "Every target is 0"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ten classes": ((KNOWN, make.data_profile()), "passed"),
    "a step of the user's own": ((make.assumptions(task="custom"), CONSTANT), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
