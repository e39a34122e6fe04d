"""Does a batch of this size fit into memory?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.batch_size.batch_out_of_memory import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(data={"factory": "project:build_data", "batch_size": 512})
RAN_OUT = make.curves(runs=(make.curve_run(outcome=Outcome.OUT_OF_MEMORY),))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a batch that does not fit": (
        (SPEC, make.system_profile(largest_batch=96)),
        Severity.ERROR,
        Confidence.HIGH,
        "96 rows fit",
    ),
    "not even one row fits": (
        (SPEC, make.system_profile(largest_batch=0)),
        Severity.ERROR,
        Confidence.HIGH,
        "ran out of memory",
    ),
    "a run that ran out of memory later": (
        (SPEC, make.system_profile(), RAN_OUT),
        Severity.ERROR,
        Confidence.HIGH,
        "ran out of memory",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a batch that fits": ((SPEC, make.system_profile(), make.curves()), "passed")
}


def test_the_smaller_batches_add_up_to_the_same_update() -> None:
    finding = fired(check, SPEC, make.system_profile(largest_batch=96))
    assert finding.fixes[0].patch == {"data.batch_size": 96, "accumulate_batches": 6}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
