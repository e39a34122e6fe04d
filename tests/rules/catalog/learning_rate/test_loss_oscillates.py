"""Does the training loss swing from epoch to epoch?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.loss_oscillates import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(optimizer={"lr": 0.1})


def runs(*, turns: float = 0.6, swing: float = 0.3, noise: float = 0.0) -> Record:
    reading = make.curve_reading(classes=("oscillation",), direction_changes=turns, swing=swing)
    return make.curves(runs=tuple(make.curve_run(seed=s, reading=reading, evaluation_noise=noise) for s in range(3)))


LOWER = {"optimizer.lr": 0.03}
HELPED = make.treatments(make.treatment(patch=LOWER, transforms=(), before=(0.8, 0.81, 0.8), after=(0.9, 0.91, 0.9)))
NO_BETTER = make.treatments(make.treatment(patch=LOWER, transforms=(), before=(0.8,) * 3, after=(0.7,) * 3))
SHORT = make.curves(runs=tuple(make.curve_run(seed=s, epochs=(1.0, 2.0, 3.0)) for s in range(3)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "wide swings are a hint": ((SPEC, runs()), Severity.INFO, Confidence.LOW, "swings of 30%"),
    "wide swings that a third of the rate calms": ((SPEC, runs(), HELPED), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a smooth curve": ((SPEC, make.curves()), "passed"),
    "many small turns": ((SPEC, runs(swing=0.02)), "passed"),
    "an objective that is as noisy": ((SPEC, runs(noise=0.5)), "passed"),
    "a lower rate that is no better": ((SPEC, runs(), NO_BETTER), "passed"),
    "a cyclic schedule": ((make.spec(scheduler={"name": "CyclicLR"}), runs()), "not_applicable"),
    "three epochs": ((SPEC, SHORT), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_a_decay_is_tried_too_where_there_is_no_schedule() -> None:
    cosine = {"scheduler": {"name": "cosine"}}
    bare = make.spec(optimizer={"lr": 0.1}, scheduler=None)
    assert cosine in [fix.patch for fix in fired(check, bare, runs()).fixes]
    decaying = make.spec(optimizer={"lr": 0.1}, scheduler={"name": "StepLR", "args": {"step_size": 5}})
    assert cosine not in [fix.patch for fix in fired(check, decaying, runs()).fixes]
