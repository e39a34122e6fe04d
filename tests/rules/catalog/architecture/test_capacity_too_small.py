"""Is the model too small for its task?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.architecture.capacity_too_small import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

ASSUMED, MODEL = make.assumptions(), make.model_profile()
SPEC = make.spec()
WIDTH = make.spec(model={"factory": "project:build_model", "args": {"width": 4}})
STUCK = make.overfit(
    attempts=(
        *(make.stuck_attempt(seed=s) for s in range(3)),
        *(make.stuck_attempt(lr=lr) for lr in (1e-4, 3e-3, 1e-2)),
    )
)
FALLING = make.overfit(attempts=tuple(make.stuck_attempt(lr=lr, still_falling=True) for lr in (1e-4, 1e-3, 1e-2)))
WEAK = make.curves(
    runs=tuple(
        make.curve_run(
            seed=s, train_metric=(0.4, 0.6), reading=make.curve_reading(classes=("underfit",), final_gap=0.01)
        )
        for s in range(3)
    )
)
WIDER = make.treatments(
    make.treatment(patch={"model.args.width": 16}, transforms=(), before=(0.6, 0.61, 0.6), after=(0.9, 0.91, 0.9))
)
NO_BETTER = make.treatments(
    make.treatment(patch={"model.args.width": 16}, transforms=(), before=(0.6, 0.61, 0.6), after=(0.55, 0.56, 0.55))
)
WRONG_GRADIENT = make.gradient_check(relative_errors=(0.4, 0.5, 0.3, 0.4))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a small set that no lr can teach is a hint": (
        (SPEC, ASSUMED, MODEL, STUCK),
        Severity.INFO,
        Confidence.LOW,
        "8,970 parameters",
    ),
    "worse than a linear model on its own rows, too": (
        (SPEC, ASSUMED, MODEL, STUCK, WEAK, make.lr_scan(), make.baselines()),
        Severity.WARNING,
        Confidence.MEDIUM,
        "linear model",
    ),
    "a wider network that is clearly better": (
        (WIDTH, ASSUMED, MODEL, STUCK, WIDER),
        Severity.WARNING,
        Confidence.HIGH,
        "are too few",
    ),
    "training rows left unlearned where the width can be tried": (
        (WIDTH, ASSUMED, MODEL, WEAK, make.lr_scan()),
        Severity.INFO,
        Confidence.LOW,
        "neither lr nor epochs",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a loss of one's own, whose floor is not known": (
        (SPEC, make.assumptions(task=Task.CUSTOM), MODEL, STUCK),
        "passed",
    ),
    "a healthy run": (
        (SPEC, ASSUMED, MODEL, make.overfit(), make.curves(), make.lr_scan(), make.baselines()),
        "passed",
    ),
    "a width that can be tried, and no need": (
        (WIDTH, ASSUMED, MODEL, make.overfit(), make.curves(), make.lr_scan()),
        "passed",
    ),
    "attempts that were still falling": ((SPEC, ASSUMED, MODEL, FALLING), "passed"),
    "a wrong gradient explains the small set": ((SPEC, ASSUMED, MODEL, STUCK, WRONG_GRADIENT), "passed"),
    "a language model that leaves its rows unlearned": (
        (WIDTH, make.assumptions(task=Task.LANGUAGE_MODEL), MODEL, make.overfit(), WEAK, make.lr_scan()),
        "passed",
    ),
    "a wider network that is no better": ((WIDTH, ASSUMED, MODEL, STUCK, NO_BETTER), "passed"),
    "a linear model on purpose": ((SPEC, ASSUMED, make.model_profile(weight_layers=1), STUCK), "not_applicable"),
    "nothing measured": ((SPEC, ASSUMED, MODEL), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
