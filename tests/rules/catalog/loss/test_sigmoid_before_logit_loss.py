"""Is a sigmoid applied twice?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.sigmoid_before_logit_loss import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

BINARY = make.assumptions(
    task="binary", classes=1, loss="binary_cross_entropy_with_logits", loss_family="bce_with_logits"
)
LOGITS = make.loss_profile(applies_softmax=False, applies_sigmoid=True)


def answers(operation: str, **changes: object) -> ModelProfile:
    return make.model_profile(
        output=make.output_profile(**({"final_operation": operation, "within_unit_interval": True} | changes))
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "sigmoid, then BCE with logits": ((answers("Sigmoid"), LOGITS, BINARY), Severity.ERROR, Confidence.HIGH, "0.693"),
    "sigmoid, then cross-entropy": (
        (answers("sigmoid"), make.loss_profile(), make.assumptions()),
        Severity.ERROR,
        Confidence.HIGH,
        "squashes again",
    ),
    "softmax, then BCE with logits": (
        (answers("Softmax", rows_sum_to_one=True), LOGITS, BINARY),
        Severity.ERROR,
        Confidence.HIGH,
        "Softmax",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "logits": ((make.model_profile(), LOGITS, BINARY), "passed"),
    "a loss that takes probabilities": (
        (answers("Sigmoid"), make.loss_profile(applies_softmax=False), make.assumptions(loss_family="bce")),
        "not_applicable",
    ),
    "softmax before cross-entropy is another rule": (
        (answers("Softmax", rows_sum_to_one=True), make.loss_profile(), make.assumptions()),
        "not_applicable",
    ),
    "a clamp": ((answers("clamp"), LOGITS, BINARY), "passed"),
    "outputs that could not be examined": ((make.model_profile(output=None), LOGITS, BINARY), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
