"""Does training wait for data?"""

import pytest

from diagnoser.evidence.preflight import SystemProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.performance.data_loading_bound import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def waits(speedup: float | None, seconds_per_update: float) -> SystemProfile:
    return make.system_profile(data_share=0.7, cached_speedup=speedup, seconds_per_update=seconds_per_update)


KNOWN = make.assumptions(total_updates=1000)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "ten seconds could be saved": (
        (make.spec(), waits(2.0, 0.02), KNOWN),
        Severity.INFO,
        Confidence.MEDIUM,
        "10 s shorter",
    ),
    "minutes could be saved": (
        (make.spec(), waits(2.0, 0.5), KNOWN),
        Severity.WARNING,
        Confidence.MEDIUM,
        "250 s shorter",
    ),
    "three times as fast": ((make.spec(), waits(4.0, 0.02), KNOWN), Severity.WARNING, Confidence.MEDIUM, "4.0 times"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "hardly any waiting": ((make.spec(), make.system_profile(), KNOWN), "passed"),
    "a toy on a CPU": ((make.spec(), waits(2.0, 0.0005), KNOWN), "passed"),
    "no control": ((make.spec(), waits(None, 0.5), KNOWN), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
