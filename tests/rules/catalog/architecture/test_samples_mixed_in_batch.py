"""Does one row of a batch change another row's answer?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.architecture.samples_mixed_in_batch import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a row that changes another row's answer": (
        (make.model_profile(samples_mixed=True),),
        Severity.ERROR,
        Confidence.HIGH,
        "other rows",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "rows that are answered on their own": ((make.model_profile(),), "passed"),
    "a model whose rows cannot be told apart": ((make.model_profile(samples_mixed=None),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
