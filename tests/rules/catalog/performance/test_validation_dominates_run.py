"""Does the run spend its time on evaluation?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.performance.validation_dominates_run import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SLOW = make.system_profile(seconds_per_evaluation=20.0, seconds_per_update=0.01)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "evaluation takes most of the time": (
        (make.spec(), make.assumptions(), SLOW),
        Severity.INFO,
        Confidence.MEDIUM,
        "200 s of 206 s",
    ),
    "with gradients on": (
        (make.spec(), make.assumptions(), SLOW, make.loop_audit(gradients_enabled_in_evaluate=True)),
        Severity.INFO,
        Confidence.MEDIUM,
        "gradients on",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "cheap evaluation": ((make.spec(), make.assumptions(), make.system_profile()), "passed"),
    "a tiny run": (
        (make.spec(), make.assumptions(), make.system_profile(seconds_per_evaluation=0.5, seconds_per_update=1e-4)),
        "passed",
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
