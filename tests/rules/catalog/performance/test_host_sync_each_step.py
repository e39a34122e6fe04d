"""Does the loop stop the device at every step to read a number from it?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.performance.host_sync_each_step import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def loop(copies: float | None, waiting: float | None, **changes: object) -> Record:
    return make.loop_audit(host_copies_per_step=copies, host_wait_share=waiting, **changes)


FIRES: dict[str, tuple[Record, str]] = {
    "a norm of every layer is printed": (loop(12.0, 0.4), "12 copies"),
    "four numbers": (loop(4.0, 0.15), "15% of its time"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a CPU": ((make.loop_audit(),), "not_applicable"),
    "many reads on a CPU": ((loop(40.0, None),), "not_applicable"),
    "a loss and a metric a step": ((loop(2.0, 0.4),), "passed"),
    "many reads and no waiting": ((loop(12.0, 0.02),), "passed"),
    "no step was made": ((loop(None, None),), "unjudged"),
    "no loop of the user's": ((make.loop_audit(has_loop=False),), "not_applicable"),
}


@pytest.mark.parametrize(("record", "words"), FIRES.values(), ids=FIRES)
def test_fires(record: Record, words: str) -> None:
    finding = fired(check, record)
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.LOW)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
