"""Does the training loss run away?"""

from math import nan

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.learning_rate.loss_diverges import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(count: int, **changes: object) -> Record:
    bad = tuple(make.curve_run(seed=s, **changes) for s in range(count))
    return make.curves(runs=(*bad, *(make.curve_run(seed=s) for s in range(count, 3))))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a loss that is lost": (
        (runs(3, outcome=Outcome.DIVERGED, smoothed=(2.3, 8.0, nan)),),
        Severity.ERROR,
        Confidence.HIGH,
        "is lost (not finite)",
    ),
    "a loss that is lost after one huge step": (
        (runs(3, outcome=Outcome.DIVERGED, smoothed=(2.2, nan)),),
        Severity.ERROR,
        Confidence.HIGH,
        "is lost (not finite)",
    ),
    "a loss that ends above its start": (
        (runs(2, smoothed=(2.3, 1.5, 4.0)),),
        Severity.ERROR,
        Confidence.MEDIUM,
        "ends at 4",
    ),
    "weights that run away": (
        (runs(3, weight_norm_end=1e4, smoothed=(2.3, 2.2, 2.4)),),
        Severity.ERROR,
        Confidence.MEDIUM,
        "weights grow",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": ((make.curves(),), "passed"),
    "one seed of three": ((runs(1, smoothed=(2.3, 1.5, 4.0)),), "passed"),
    "weights drawn too small that grow while they learn": ((runs(3, weight_norm_end=1e4),), "passed"),
    "a loss that one operation breaks, without a rise": (
        (runs(3, outcome=Outcome.DIVERGED, smoothed=(2.3, 1.9, nan)),),
        "passed",
    ),
    "a gradient that breaks at the first update": (
        (
            runs(
                3, outcome=Outcome.DIVERGED, smoothed=(2.2, nan), first_non_finite="gradient of a", weight_norm_end=nan
            ),
        ),
        "passed",
    ),
    "a rise close to zero": ((runs(3, smoothed=(2.3, 0.001, 0.01)),), "passed"),
    "a noisy objective that stays at its level": ((runs(3, initial_loss=1.0, smoothed=(1.0, 0.8, 1.05)),), "passed"),
    "a loss that is not finite before training": ((runs(3, initial_loss=nan),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
