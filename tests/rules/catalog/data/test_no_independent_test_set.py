"""Were many configurations chosen by the score that is reported?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.no_independent_test_set import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SEARCHED = make.spec(search={"optimizer.lr": {"range": (1e-4, 1e-1), "scale": "log"}})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "twelve configurations and no test set": (
        (SEARCHED, make.data_profile(test_rows=0), make.curves(), make.coarse_search()),
        Severity.INFO,
        Confidence.MEDIUM,
        "1.6 points",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a test set": ((SEARCHED, make.data_profile(test_rows=200), make.curves(), make.coarse_search()), "passed"),
    "three configurations": ((SEARCHED, make.data_profile(test_rows=0), make.curves(), make.fine_search()), "passed"),
    "a precise metric": (
        (SEARCHED, make.data_profile(test_rows=0), make.curves(standard_error=0.002), make.coarse_search()),
        "passed",
    ),
    "a search that is only ours": (
        (make.spec(), make.data_profile(test_rows=0), make.curves(), make.coarse_search()),
        "not_applicable",
    ),
    "not recorded": ((SEARCHED, make.data_profile(), make.curves()), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
