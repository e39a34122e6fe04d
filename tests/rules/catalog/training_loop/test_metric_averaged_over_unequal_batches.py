"""Is the figure of the user's `evaluate` that of all validation rows?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.metric_averaged_over_unequal_batches import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def audit(theirs: float, ours: float, mean: float, *, name: str = "accuracy", **changes: object) -> Record:
    """An evaluate that returned one figure."""
    return make.loop_audit(
        user_metrics={name: theirs}, our_metrics={name: ours}, batch_mean_metrics={name: mean}, **changes
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "the plain mean over batches": (
        (audit(0.90, 0.94, 0.90),),
        Severity.WARNING,
        Confidence.HIGH,
        "plain mean over batches",
    ),
    "told in per cent": ((audit(90.0, 94.0, 90.0),), Severity.WARNING, Confidence.HIGH, "averaged"),
    "a loss": ((audit(0.52, 0.50, 0.52, name="val_loss"),), Severity.WARNING, Confidence.HIGH, "val_loss"),
    "batches left out": (
        (audit(0.90, 0.94, 0.94, evaluate_batches_given=10, evaluate_batches_drawn=1),),
        Severity.WARNING,
        Confidence.HIGH,
        "9 of 10",
    ),
    "batches left out without harm": (
        (audit(0.94, 0.94, 0.94, evaluate_batches_given=10, evaluate_batches_drawn=9),),
        Severity.INFO,
        Confidence.LOW,
        "1 of 10",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "the same figure": ((audit(0.94, 0.94, 0.90),), "passed"),
    "a point apart is noise": ((audit(0.945, 0.94, 0.945),), "passed"),
    "another definition of the figure": ((audit(0.80, 0.94, 0.93),), "passed"),
    "a name of its own": ((make.loop_audit(user_metrics={"auroc": 0.9}, our_metrics={}),), "unjudged"),
    "no evaluate": ((make.loop_audit(has_evaluate=False),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
