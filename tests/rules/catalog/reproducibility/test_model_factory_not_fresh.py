"""Does each call of the model factory build a new model?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.reproducibility.model_factory_not_fresh import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "one model for all": (
        (make.model_profile(shares_storage_between_calls=True),),
        Severity.ERROR,
        Confidence.HIGH,
        "common storage",
    ),
    "a seed inside the factory": (
        (make.model_profile(equal_for_different_seeds=True),),
        Severity.INFO,
        Confidence.HIGH,
        "same for every seed",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a new model each time": ((make.model_profile(),), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
