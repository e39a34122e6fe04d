"""Is softmax applied twice?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.softmax_before_cross_entropy import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN, LOSS = make.assumptions(), make.loss_profile()


def answers(**changes: object) -> ModelProfile:
    return make.model_profile(output=make.output_profile(**changes))


SOFTMAX = answers(rows_sum_to_one=True, within_unit_interval=True, never_negative=True, final_operation="Softmax")
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "probabilities into cross-entropy": ((SOFTMAX, LOSS, KNOWN), Severity.ERROR, Confidence.HIGH, "1.461"),
    "two classes": ((SOFTMAX, LOSS, make.assumptions(classes=2)), Severity.ERROR, Confidence.HIGH, "0.313"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "logits": ((make.model_profile(), LOSS, KNOWN), "passed"),
    "a loss that takes probabilities": ((SOFTMAX, make.loss_profile(applies_softmax=False), KNOWN), "not_applicable"),
    "one output": ((answers(constant_one=True), LOSS, KNOWN), "not_applicable"),
    "a loss that could not be examined": ((SOFTMAX, make.loss_profile(applies_softmax=None), KNOWN), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
