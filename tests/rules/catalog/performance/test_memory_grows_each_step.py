"""Does each step leave something behind in memory?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.performance.memory_grows_each_step import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a loss kept with its graph": (
        (make.loop_audit(graph_nodes_kept=(12, 24, 36, 48, 60, 72), memory_growth_share=0.08),),
        Severity.WARNING,
        Confidence.HIGH,
        "memory by 8.0%",
    ),
    "the same on a machine that does not tell its memory": (
        (make.loop_audit(graph_nodes_kept=(12, 24, 36, 48, 60, 72), memory_growth_share=None),),
        Severity.WARNING,
        Confidence.HIGH,
        "12 to 72",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "nothing kept": ((make.loop_audit(),), "passed"),
    "one loss kept": ((make.loop_audit(graph_nodes_kept=(12, 12, 12, 12, 12, 12)),), "passed"),
    "no loop": ((make.loop_audit(has_loop=False),), "not_applicable"),
    "three batches": ((make.loop_audit(graph_nodes_kept=(1, 2, 3)),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
