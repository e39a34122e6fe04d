"""Is there any learning rate at which the model memorises a few rows?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.training_loop.small_set_not_memorised import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LADDER = (1e-5, 1e-4, 3e-4, 3e-3, 1e-2, 0.1)
STUCK = tuple(make.stuck_attempt(seed=seed) for seed in range(3))
FAILS = make.overfit(attempts=(*STUCK, *(make.stuck_attempt(lr=lr) for lr in LADDER)))
HALF = {"final_loss": 0.5, "lowest_loss": 0.5}
ENDS = make.overfit(
    attempts=(
        *(make.stuck_attempt(seed=seed, **HALF) for seed in range(3)),
        *(make.stuck_attempt(lr=lr, **HALF) for lr in LADDER),
    )
)
SLOW = make.stuck_attempt(stopped_by="length", still_falling=True)
TEXT = make.assumptions(task=Task.LANGUAGE_MODEL)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "stuck everywhere": ((make.assumptions(), FAILS), Severity.ERROR, Confidence.HIGH, "80 rows cannot be memorised"),
    "one seed of the user's was seen": (
        (make.assumptions(), make.overfit(attempts=FAILS.attempts[2:])),
        Severity.ERROR,
        Confidence.MEDIUM,
        "7 learning rates",
    ),
    "a classifier that stops half-way": ((make.assumptions(), ENDS), Severity.WARNING, Confidence.MEDIUM, "0.5"),
    "a text model that stops half-way": ((TEXT, ENDS), Severity.INFO, Confidence.LOW, "0.5"),
    "a text model that learns nothing": ((TEXT, FAILS), Severity.ERROR, Confidence.HIGH, "cannot be memorised"),
    "as bad without inputs": (
        (make.assumptions(), make.overfit(attempts=(*FAILS.attempts, make.stuck_attempt(control="zeroed_inputs")))),
        Severity.ERROR,
        Confidence.HIGH,
        "learns nothing from them",
    ),
    "cured by a control": (
        (
            make.assumptions(),
            make.overfit(attempts=(*FAILS.attempts, make.small_set_attempt(control="standardised_inputs"))),
        ),
        Severity.ERROR,
        Confidence.HIGH,
        "with standardised inputs",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "memorised": ((make.assumptions(), make.overfit()), "passed"),
    "memorised at another lr: that rule's business": (
        (make.assumptions(), make.overfit(attempts=(*FAILS.attempts, make.small_set_attempt(lr=1e-2)))),
        "passed",
    ),
    "one seed of three": (
        (make.assumptions(), make.overfit(attempts=(*STUCK[:1], *make.overfit().attempts))),
        "passed",
    ),
    "still falling": (
        (make.assumptions(), make.overfit(attempts=(*STUCK, *(make.altered(SLOW, {"lr": lr}) for lr in LADDER)))),
        "unjudged",
    ),
    "cut short by the clock": (
        (
            make.assumptions(),
            make.overfit(attempts=tuple(make.altered(a, {"stopped_by": "time"}) for a in FAILS.attempts)),
        ),
        "unjudged",
    ),
    "the budget left out the ladder": ((make.assumptions(), make.overfit(attempts=STUCK)), "unjudged"),
    "a diffusion step": ((make.assumptions(task=Task.CUSTOM), FAILS), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
