"""Does the user's loop add up the gradients of past batches?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.gradients_not_cleared import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "the sum over past batches": (
        (make.loop_audit(gradient_cosine=0.7, gradient_matches_sum=True, clears=0),),
        Severity.ERROR,
        Confidence.HIGH,
        "never clears",
    ),
    "cleared now and then": (
        (make.loop_audit(gradient_cosine=0.9, gradient_matches_sum=True, clears=2),),
        Severity.ERROR,
        Confidence.HIGH,
        "2 times in 8",
    ),
    "a gradient that never turns": (
        (make.loop_audit(gradient_cosine=0.9999, gradient_matches_sum=True, clears=0),),
        Severity.ERROR,
        Confidence.HIGH,
        "never clears",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "cleared": ((make.loop_audit(), make.curves()), "passed"),
    "noise added to the gradient": ((make.loop_audit(gradient_cosine=0.9, gradient_matches_sum=False),), "passed"),
    "declared accumulation: both are the sum of one update": (
        (make.loop_audit(backwards=8, steps=2, clears=2, gradient_matches_sum=True),),
        "passed",
    ),
    "no loop": ((make.loop_audit(has_loop=False),), "not_applicable"),
    "gradients written by hand": (
        (make.loop_audit(gradient_cosine=None, gradient_matches_sum=None, clears=0),),
        "unjudged",
    ),
    "a loop that raises at once": ((make.loop_audit(backwards=0, error=make.user_error()),), "unjudged"),
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
