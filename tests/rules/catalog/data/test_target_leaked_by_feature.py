"""Is the target among the inputs?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.target_leaked_by_feature import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

REAL = make.target_profile(kind="real", distinct=900)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a column that is the target": (
        (make.data_profile(targets=REAL, leaking_column=7, leaking_correlation=-1.0),),
        Severity.WARNING,
        Confidence.HIGH,
        "Column 7",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a strong column": ((make.data_profile(targets=REAL, leaking_column=7, leaking_correlation=0.98),), "passed"),
    "classes": ((make.data_profile(),), "not_applicable"),
    "two columns": (
        (make.data_profile(targets=REAL, input_shape=(2,), leaking_column=0, leaking_correlation=1.0),),
        "not_applicable",
    ),
    "columns that were not compared": ((make.data_profile(targets=REAL),), "unjudged"),
    "few different targets": (
        (
            make.data_profile(
                targets=make.target_profile(kind="real", distinct=6), leaking_column=1, leaking_correlation=1.0
            ),
        ),
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
