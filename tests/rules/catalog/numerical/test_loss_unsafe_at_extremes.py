"""Does the loss stay finite when the outputs are large?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.numerical.loss_unsafe_at_extremes import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

UNSAFE = make.loss_profile(finite_at_extremes=False)
OWN = make.assumptions(loss="project:my_loss", loss_family="other")
BROKE = make.curves(runs=(make.curve_run(outcome=Outcome.DIVERGED, first_non_finite="loss"),))
ELSEWHERE = make.curves(runs=(make.curve_run(outcome=Outcome.DIVERGED, first_non_finite="output of layer net.2"),))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "not finite at large outputs": ((OWN, UNSAFE), Severity.INFO, Confidence.HIGH, "project:my_loss"),
    "and a run was lost to it": ((OWN, UNSAFE, BROKE), Severity.ERROR, Confidence.HIGH, "first value"),
    "and lost elsewhere": ((OWN, UNSAFE, ELSEWHERE), Severity.INFO, Confidence.HIGH, "project:my_loss"),
    "from the start": (
        (OWN, UNSAFE, make.initial_loss(first_non_finite="loss")),
        Severity.ERROR,
        Confidence.HIGH,
        "first value",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "finite": ((make.assumptions(), make.loss_profile(), make.curves()), "passed"),
    "not finite to begin with: inputs hold NaN": (
        (OWN, make.loss_profile(finite_at_extremes=False, value=float("nan"))),
        "unjudged",
    ),
    "not asked": ((OWN, make.loss_profile(finite_at_extremes=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_a_known_loss_is_told_its_stable_built_in() -> None:
    finding = fired(check, make.assumptions(loss_family="bce"), UNSAFE)
    assert "binary_cross_entropy_with_logits" in finding.fixes[0].title
