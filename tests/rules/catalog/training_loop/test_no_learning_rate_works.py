"""Does the loss fall at any learning rate?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.training_loop.no_learning_rate_works import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LRS = (1e-5, 1e-4, 1e-3, 1e-2, 0.1)
FLAT = make.lr_scan(
    points=tuple(make.scan_point(lr, lowest=2.29) for lr in LRS), proposal=None, falls_from=None, diverges_from=None
)
STUCK = make.overfit(attempts=tuple(make.stuck_attempt(seed=seed) for seed in range(3)))
BLIND = make.baselines(
    scores=({"name": "majority", "train": 0.1, "validation": 0.1}, {"name": "linear", "train": 0.2, "validation": 0.11})
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "flat, and a simple model learns": (
        (make.assumptions(), FLAT, make.baselines()),
        Severity.ERROR,
        Confidence.MEDIUM,
        "simple model",
    ),
    "flat, and the small set too": (
        (make.assumptions(), FLAT, make.baselines(), STUCK),
        Severity.ERROR,
        Confidence.HIGH,
        "small set",
    ),
    "flat, and nobody learns": ((make.assumptions(), FLAT, BLIND), Severity.INFO, Confidence.LOW, "lower"),
    "flat, and nothing else was seen": ((make.assumptions(), FLAT), Severity.INFO, Confidence.LOW, "lower"),
    "a few rows are learned": (
        (make.assumptions(), FLAT, make.baselines(), make.overfit()),
        Severity.INFO,
        Confidence.LOW,
        "few rows alone",
    ),
    "a noisy step": ((make.assumptions(task=Task.CUSTOM), FLAT, STUCK), Severity.INFO, Confidence.LOW, "lower"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a valley": ((make.assumptions(), make.lr_scan(), make.initial_loss()), "passed"),
    "too short": ((make.assumptions(), make.altered(FLAT, {"updates": 20}), make.baselines()), "unjudged"),
    "too narrow": ((make.assumptions(), make.altered(FLAT, {"points": FLAT.points[:3]}), make.baselines()), "unjudged"),
    "pretrained: it starts low": (
        (make.assumptions(), FLAT, make.initial_loss(observed=(0.3,) * 5), make.baselines()),
        "unjudged",
    ),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
