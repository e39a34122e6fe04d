"""Does the schedule of the learning rate fit the length of the run?"""

from collections.abc import Callable
from math import cos, pi

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.schedule_unfit_for_run import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

ASSUMED = make.assumptions()


def spec(name: str = "cosine", **scheduler: object) -> Record:
    return make.spec(scheduler={"name": name} | scheduler)


def rates(function: Callable[[float], float]) -> Record:
    return make.optimizer_profile(schedule=tuple(1e-3 * function(i / 99) for i in range(100)))


COSINE = rates(lambda t: (1 + cos(pi * t)) / 2)
SHORT_COSINE = rates(lambda t: (1 + cos(10 * pi * t)) / 2)
WARM_COSINE = rates(lambda t: t / 0.05 if t < 0.05 else (1 + cos(pi * (t - 0.05) / 0.95)) / 2)
STEEP = rates(lambda t: 0.5 ** (20 * t))
CONSTANT = rates(lambda t: 1.0)
AT_ONCE = rates(lambda t: 1.0 if t < 0.03 else 0.01)
T_MAX = spec(args={"T_max": 2})
FALLING = make.curves(
    runs=tuple(make.curve_run(seed=s, train_loss=tuple(2.3 - 0.1 * i for i in range(20))) for s in range(3))
)
HELPED = make.treatments(make.treatment(patch={"scheduler": {"name": "cosine", "warmup": 0.0}}, transforms=()))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a cosine with a period shorter than the run": (
        (T_MAX, ASSUMED, SHORT_COSINE),
        Severity.WARNING,
        Confidence.HIGH,
        "rises to 0.001 again",
    ),
    "milestones in epochs, stepped per batch": (
        (spec("MultiStepLR", interval="step", args={"milestones": [10]}), ASSUMED, AT_ONCE),
        Severity.WARNING,
        Confidence.HIGH,
        "first epoch",
    ),
    "a rate that is gone while the loss still falls": (
        (spec("exponential"), ASSUMED, STEEP, FALLING),
        Severity.WARNING,
        Confidence.MEDIUM,
        "below a thousandth",
    ),
    "a rate that is gone, and no curve": (
        (spec("exponential"), ASSUMED, STEEP),
        Severity.INFO,
        Confidence.LOW,
        "below a thousandth",
    ),
    "the same, and a cosine is clearly better": (
        (spec("exponential"), ASSUMED, STEEP, HELPED),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "a schedule that never moves": (
        (spec("step", args={"step_size": 90}), ASSUMED, CONSTANT),
        Severity.WARNING,
        Confidence.MEDIUM,
        "never moves",
    ),
    "a schedule made for a longer run": (
        (spec(), ASSUMED, rates(lambda t: 1 - 0.05 * t)),
        Severity.INFO,
        Confidence.LOW,
        "5% only",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a cosine over the whole run": ((spec(), ASSUMED, COSINE), "passed"),
    "with a warm-up": ((spec(warmup=0.05), ASSUMED, WARM_COSINE), "passed"),
    "warm restarts": ((spec("CosineAnnealingWarmRestarts", args={"T_0": 2}), ASSUMED, SHORT_COSINE), "passed"),
    "a constant rate on purpose": ((spec("ConstantLR"), ASSUMED, CONSTANT), "passed"),
    "no schedule": ((make.spec(), ASSUMED, CONSTANT), "not_applicable"),
    "a schedule that reacts to the metric": (
        (spec("plateau"), ASSUMED, make.optimizer_profile(schedule=(), schedule_because="it follows the metric")),
        "unjudged",
    ),
}


def test_a_period_is_set_to_the_length_of_the_run() -> None:
    assert fired(check, T_MAX, ASSUMED, SHORT_COSINE).fixes[0].patch == {"scheduler.args": {"T_max": 20}}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
