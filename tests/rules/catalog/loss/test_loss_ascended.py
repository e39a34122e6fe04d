"""Does training make the answers worse on purpose?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.loss.loss_ascended import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN = make.assumptions()
OWN = make.assumptions(loss="project:my_loss", loss_family="other")
TURNED = make.loss_profile(falls_with_worse_answers=True, negative=True)
MAXIMISE = make.optimizer_profile(settings={"lr": 0.1, "maximize": True})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a minus sign in a known loss": ((KNOWN, TURNED), Severity.ERROR, Confidence.HIGH, "answers get worse"),
    "a minus sign in a loss of one's own": ((OWN, TURNED), Severity.ERROR, Confidence.MEDIUM, "answers get worse"),
    "a minus sign in a loss of one's own, and the run is good without it": (
        (OWN, TURNED, make.treatments(make.treatment(transforms=(Transform.NEGATE_LOSS,)))),
        Severity.ERROR,
        Confidence.HIGH,
        "answers get worse",
    ),
    "an optimizer that maximises": (
        (KNOWN, make.loss_profile(), MAXIMISE),
        Severity.ERROR,
        Confidence.HIGH,
        "maximises",
    ),
    "a loop that climbs": (
        (KNOWN, make.loss_profile(), make.loop_audit(loss_rises_on_same_batch=0.9)),
        Severity.ERROR,
        Confidence.HIGH,
        "90%",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a right sign": ((KNOWN, make.loss_profile(), make.optimizer_profile(), make.loop_audit()), "passed"),
    "a negated loss, maximised": ((OWN, TURNED, MAXIMISE), "passed"),
    "a density": ((OWN, make.loss_profile(negative=True)), "passed"),
    "not measured": ((OWN, make.loss_profile(falls_with_worse_answers=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_the_sign_is_turned_by_machine_where_the_loss_has_the_wrong_one() -> None:
    (fix,) = fired(check, KNOWN, TURNED).fixes
    assert fix.transforms == (Transform.NEGATE_LOSS,)
    assert fix.advice is not None


def test_a_loop_that_climbs_is_tried_beside_the_reference_loop() -> None:
    first, second = fired(check, KNOWN, make.loss_profile(), make.loop_audit(loss_rises_on_same_batch=0.9)).fixes
    assert first.transforms == (Transform.OUR_LOOP,)
    assert not second.can_be_tried
