"""Does the user's loop train on all batches that it is given?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.loop_uses_few_batches import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "an early break": (
        (make.loop_audit(batches_drawn=1, backwards=1, steps=1),),
        Severity.WARNING,
        Confidence.HIGH,
        "1 of the 8",
    ),
    "one batch for ever": (
        (make.loop_audit(batches_drawn=1, repeated_batch=True),),
        Severity.WARNING,
        Confidence.HIGH,
        "same batch",
    ),
    "backward outside the loop": (
        (make.loop_audit(backwards=1, steps=1),),
        Severity.WARNING,
        Confidence.HIGH,
        "`backward` for 1 of the 8",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "every batch": ((make.loop_audit(),), "passed"),
    "one bad batch in twelve skipped": ((make.loop_audit(batches_given=12, batches_drawn=12, backwards=11),), "passed"),
    "no loop": ((make.loop_audit(has_loop=False),), "not_applicable"),
    "a loop that raises half-way": (
        (make.loop_audit(batches_drawn=4, backwards=4, error=make.user_error()),),
        "unjudged",
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


def test_explains_the_users_run_only_when_ours_did_better() -> None:
    records = next(iter(FIRES.values()))[0]
    low = make.curve_run(loop="user", validation_metric=(0.1,) * 20)
    worse = make.curves(runs=(*make.curves().runs, low))
    assert "nothing-learned" not in fired(check, *records, make.curves()).explains
    assert "nothing-learned" in fired(check, *records, worse).explains
