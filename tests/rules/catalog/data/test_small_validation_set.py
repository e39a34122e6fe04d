"""Is the validation set large enough to tell a good model from a lucky one?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.small_validation_set import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

NO_ROWS = make.split_profile(rows=0, rows_read=0)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "no validation rows": (
        (make.data_profile(validation=NO_ROWS),),
        Severity.WARNING,
        Confidence.HIGH,
        "no validation set",
    ),
    "sixty rows": (
        (make.data_profile(validation=make.split_profile(rows=60)), make.baselines(standard_error=0.05)),
        Severity.INFO,
        Confidence.MEDIUM,
        "± 9.8 points",
    ),
    "the run's own error counts first": (
        (make.data_profile(), make.baselines(), make.curves(standard_error=0.06)),
        Severity.INFO,
        Confidence.MEDIUM,
        "± 11.8 points",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "four hundred rows": ((make.data_profile(), make.baselines()), "passed"),
    "a metric without a scale": ((make.data_profile(), make.baselines(metric="mae")), "not_applicable"),
    "nothing known": ((make.data_profile(),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
