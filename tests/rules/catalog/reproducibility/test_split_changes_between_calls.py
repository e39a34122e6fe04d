"""Is the validation set the same one each time?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.reproducibility.split_changes_between_calls import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a split without a seed": ((make.repeatability(split_difference=0.8),), Severity.WARNING, Confidence.HIGH, "80%"),
    "a random half of a table": (
        (make.repeatability(split_difference=0.9, union_difference=0.5),),
        Severity.WARNING,
        Confidence.HIGH,
        "50% of all rows came again",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "one split": ((make.repeatability(),), "passed"),
    "data drawn afresh": ((make.repeatability(split_difference=1.0, union_difference=1.0),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
