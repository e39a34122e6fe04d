"""Does the user's `evaluate` measure the model in train mode, or change it?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.evaluation_in_train_mode import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

DROPPING = make.loop_audit(
    modules_training_while_evaluating=("net.2", "net.5"), evaluations_differ=True, evaluations_agree_in_eval=True
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "dropout left on": ((DROPPING,), Severity.ERROR, Confidence.HIGH, "agree in eval mode"),
    "Monte Carlo dropout is a remark": (
        (DROPPING.model_copy(update={"dropout_switched_on_alone": True}),),
        Severity.INFO,
        Confidence.HIGH,
        "Monte Carlo dropout",
    ),
    "BatchNorm learns from validation": (
        (make.loop_audit(modules_training_while_evaluating=("net.1",), evaluate_changes_state=True),),
        Severity.ERROR,
        Confidence.HIGH,
        "other ones afterwards",
    ),
    "it trains on validation": (
        (make.loop_audit(evaluate_changes_state=True),),
        Severity.ERROR,
        Confidence.HIGH,
        "changes the model",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "in eval mode": ((make.loop_audit(),), "passed"),
    "no evaluate": ((make.loop_audit(has_evaluate=False),), "not_applicable"),
    "an evaluate that raises": ((make.loop_audit(evaluate_changes_state=None, error=make.user_error()),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
