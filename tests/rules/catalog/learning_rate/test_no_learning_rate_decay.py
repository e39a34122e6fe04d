"""Would the run end better if its learning rate decayed?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.no_learning_rate_decay import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC, OPTIMIZER = make.spec(), make.optimizer_profile()


def runs(
    *, turns: float = 0.6, planned: int = 640 * 2, classes: tuple[str, ...] = ("good_fit",), train: float = 0.9
) -> Record:
    reading = make.curve_reading(direction_changes=turns, classes=classes)
    made = tuple(make.curve_run(seed=s, reading=reading, updates=planned, train_metric=(0.5, train)) for s in range(3))
    return make.curves(planned_updates=planned, runs=made)


COSINE = {"scheduler": {"name": "cosine"}}
HELPED = make.treatments(make.treatment(patch=COSINE, transforms=(), before=(0.8, 0.81, 0.8), after=(0.9, 0.91, 0.9)))
LITTLE = make.treatments(make.treatment(patch=COSINE, transforms=(), before=(0.8,) * 3, after=(0.815,) * 3))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a restless curve at a constant rate is a hint": ((SPEC, OPTIMIZER, runs()), Severity.INFO, Confidence.LOW, "60%"),
    "a decay that gains ten points": ((SPEC, OPTIMIZER, runs(), HELPED), Severity.WARNING, Confidence.HIGH, "Tried"),
    "a decay that gains one and a half stays a hint": (
        (SPEC, OPTIMIZER, runs(), LITTLE),
        Severity.INFO,
        Confidence.LOW,
        "constant",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a curve that settles": ((SPEC, OPTIMIZER, runs(turns=0.1)), "passed"),
    "a run that still improves": ((SPEC, OPTIMIZER, runs(classes=("still_improving",))), "passed"),
    "a run at its ceiling": ((SPEC, OPTIMIZER, runs(train=1.0)), "passed"),
    "a short run": ((SPEC, OPTIMIZER, make.curves()), "not_applicable"),
    "a schedule": ((make.spec(scheduler={"name": "cosine"}), OPTIMIZER, runs()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
