"""Do rows of the training set stand in validation too?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.train_validation_overlap import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "validation is the training set": (
        (make.data_profile(overlap_share=1.0),),
        Severity.ERROR,
        Confidence.HIGH,
        "is the training set",
    ),
    "one row in twenty": ((make.data_profile(overlap_share=0.05),), Severity.ERROR, Confidence.HIGH, "20 of 400"),
    "rows of measurements, multiplied before the split": (
        (make.data_profile(overlap_share=0.4, overlap_control=0.6, duplicate_share=0.4, distinct_in_a_column=1.0),),
        Severity.WARNING,
        Confidence.HIGH,
        "multiplied before the split",
    ),
    "more than rows that repeat by nature": (
        (make.data_profile(overlap_share=0.3, overlap_control=0.02),),
        Severity.ERROR,
        Confidence.HIGH,
        "30.0%",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "nothing shared": ((make.data_profile(),), "passed"),
    "one twin pair of iris": (
        (
            make.data_profile(
                train=make.split_profile(rows=120, rows_read=120),
                validation=make.split_profile(rows=30, rows_read=30),
                overlap_share=1 / 30,
            ),
        ),
        "passed",
    ),
    "a few copies among measurements": (
        (make.data_profile(overlap_share=0.05, overlap_control=0.06, distinct_in_a_column=1.0),),
        "passed",
    ),
    "a table that repeats by nature": ((make.data_profile(overlap_share=0.6, overlap_control=0.55),), "passed"),
    "no validation": ((make.data_profile(validation=make.split_profile(rows=0, rows_read=0)),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
