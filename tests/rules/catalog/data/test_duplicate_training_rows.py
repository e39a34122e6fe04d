"""Does the training set repeat itself?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.duplicate_training_rows import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "one row for every index": (
        (make.data_profile(distinct_of_512=1 / 512, duplicate_share=1.0, duplicate_share_by_chance=1.0),),
        Severity.ERROR,
        Confidence.HIGH,
        "ignore its index",
    ),
    "five rows in turn": (
        (make.data_profile(distinct_of_512=5 / 512, duplicate_share=1.0, duplicate_share_by_chance=0.0),),
        Severity.ERROR,
        Confidence.HIGH,
        "5 different",
    ),
    "a third of the rows twice": (
        (make.data_profile(duplicate_share=0.33, distinct_of_512=0.85),),
        Severity.INFO,
        Confidence.MEDIUM,
        "33%",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "all rows differ": ((make.data_profile(),), "passed"),
    "the four corners of XOR": (
        (make.data_profile(distinct_of_512=4 / 512, duplicate_share=1.0, duplicate_share_by_chance=1.0),),
        "passed",
    ),
    "a single row": ((make.data_profile(train=make.split_profile(rows=1, rows_read=1)),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
