"""Are there parameters that never get a gradient?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.architecture.unused_parameters import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a layer that is built and never called": (
        (make.model_profile(unused=("extra.weight", "extra.bias"), unused_share=0.3),),
        Severity.WARNING,
        Confidence.HIGH,
        "extra.weight",
    ),
    "a small unused head is worth a line": (
        (make.model_profile(unused=("aux.weight",), unused_share=0.03),),
        Severity.INFO,
        Confidence.HIGH,
        "3%",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a model that uses all it has": ((make.model_profile(),), "passed"),
    "one unused bias among many weights": ((make.model_profile(unused=("b",), unused_share=0.001),), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
