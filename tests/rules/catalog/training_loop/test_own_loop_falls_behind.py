"""Does the user's own loop end far below a plain one, whatever the cause?"""

from typing import Any

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome, Transform
from rules.catalog.training_loop.own_loop_falls_behind import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

AUDIT = make.loop_audit()


def beside(end: float, **changes: Any) -> Curves:
    """Three runs of ours that end at 0.955, and one in the user's loop."""
    theirs = make.curve_run(loop="user", validation_metric=(end,), **changes)
    return make.curves(runs=(*make.curves().runs, theirs))


PLAIN = {"transforms": (Transform.OUR_LOOP,), "before": (0.40, 0.38, 0.41)}
CURED = make.treatments(make.treatment(**PLAIN, after=(0.95, 0.96, 0.95)))
A_LITTLE = make.treatments(
    make.treatment(transforms=(Transform.OUR_LOOP,), before=(0.92, 0.92, 0.92), after=(0.95, 0.95, 0.95))
)
IN_VAIN = make.treatments(make.treatment(**PLAIN, after=(0.40, 0.38, 0.41)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "far below, over paired seeds": (
        (AUDIT, beside(0.4), CURED),
        Severity.WARNING,
        Confidence.HIGH,
        "0.4 in your loop",
    ),
    "far below, in the one run there is": ((AUDIT, beside(0.4)), Severity.INFO, Confidence.LOW, "falls behind"),
    "a few points may be the price of something": (
        (AUDIT, beside(0.9), A_LITTLE),
        Severity.INFO,
        Confidence.LOW,
        "0.9",
    ),
    "a run that diverged": (
        (AUDIT, beside(0.1, outcome=Outcome.DIVERGED), CURED),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "as good as ours": ((AUDIT, beside(0.95)), "passed"),
    "our loop was tried and is no better": ((AUDIT, beside(0.4), IN_VAIN), "passed"),
    "no run in it": ((AUDIT, make.curves()), "unjudged"),
    "no loop": ((make.loop_audit(has_loop=False), make.curves()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
