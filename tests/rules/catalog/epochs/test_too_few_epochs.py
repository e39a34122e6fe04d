"""Does the run end while there is clearly more to gain?"""

import pytest

from diagnoser.evidence.preflight import Score
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.epochs.too_few_epochs import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC, ASSUMED, FEW = make.spec(), make.assumptions(), make.assumptions(total_updates=120)
LANGUAGE = make.assumptions(task=Task.LANGUAGE_MODEL)


def runs(gain: float, *classes: str, train: float = 0.7, metric: str = "accuracy", **changes: object) -> Record:
    reading = make.curve_reading(classes=classes or ("still_improving",), extrapolated_gain=gain)
    made = (make.curve_run(seed=s, reading=reading, train_metric=(0.3, train), **changes) for s in range(3))
    return make.curves(metric=metric, higher_is_better=metric != "loss", runs=tuple(made))


def tried(after: float, epochs: int = 40) -> Record:
    return make.treatments(
        make.treatment(
            patch={"epochs": epochs}, transforms=(), before=(0.7, 0.7, 0.71), after=(after, after, after + 0.01)
        )
    )


BIGRAM = make.baselines(scores=(Score(name="bigram", train=None, validation=0.99),))
STOPPED = make.curves(runs=tuple(make.curve_run(seed=s, stopped_by="early_stopping") for s in range(3)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a curve that still rises is a hint": (
        (SPEC, ASSUMED, runs(0.08)),
        Severity.INFO,
        Confidence.LOW,
        "still improving",
    ),
    "a run of 120 updates is a hint": (
        (SPEC, FEW, runs(0.0, "good_fit")),
        Severity.INFO,
        Confidence.LOW,
        "120 updates",
    ),
    "twice the epochs gain twenty points": (
        (SPEC, ASSUMED, runs(0.08), tried(0.9)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "four times the epochs do": (
        (SPEC, FEW, runs(0.0, "good_fit"), tried(0.9, 80)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "a language model below a table of letter pairs": (
        (SPEC, LANGUAGE, runs(0.08), BIGRAM),
        Severity.INFO,
        Confidence.LOW,
        "still improving",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": ((SPEC, ASSUMED, make.curves()), "passed"),
    "a small gain ahead": ((SPEC, ASSUMED, runs(0.015)), "passed"),
    "a curve that overfits": ((SPEC, ASSUMED, runs(0.08, "overfit")), "passed"),
    "120 updates that were enough": ((SPEC, FEW, runs(0.0, "good_fit", train=1.0)), "passed"),
    "a longer run that gains one point": ((SPEC, ASSUMED, runs(0.08), tried(0.711)), "passed"),
    "a longer run that is worse": ((SPEC, ASSUMED, runs(0.08), tried(0.6)), "passed"),
    "a language model": ((SPEC, LANGUAGE, runs(0.08)), "not_applicable"),
    "early stopping": ((SPEC, ASSUMED, STOPPED), "not_applicable"),
    "a run that was cut short": ((SPEC, ASSUMED, make.curves(planned_updates=9999)), "unjudged"),
}


def test_a_noisy_loss_without_another_metric_leaves_the_question_open() -> None:
    noisy = make.curves(
        metric="loss",
        higher_is_better=False,
        runs=tuple(
            make.curve_run(seed=s, evaluation_noise=0.2, reading=make.curve_reading(extrapolated_gain=0.5))
            for s in range(3)
        ),
    )
    assert silent(check, SPEC, ASSUMED, noisy) == "unjudged"


def test_a_schedule_grows_with_the_run() -> None:
    spec = make.spec(scheduler={"name": "cosine", "args": {"T_max": 20}})
    assert fired(check, spec, ASSUMED, runs(0.08)).fixes[0].patch == {"epochs": 40, "scheduler.args": {"T_max": 40}}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


@pytest.mark.parametrize(
    ("updates", "epochs"), [(120, [40, 80]), (43, [40, 80, 320]), (199, [40, 80]), (3, [40, 80, 5120])]
)
def test_a_very_short_run_is_tried_at_a_length_that_is_not_short(updates: int, epochs: list[int]) -> None:
    finding = fired(check, SPEC, make.assumptions(total_updates=updates), runs(0.0, "good_fit"))
    assert [fix.patch["epochs"] for fix in finding.fixes] == epochs


def test_what_only_a_far_longer_run_gains_accuses_nobody() -> None:
    assumed = make.assumptions(total_updates=43)
    finding = fired(check, SPEC, assumed, runs(0.0, "good_fit"), tried(0.9, epochs=320))
    assert finding.severity is Severity.INFO
