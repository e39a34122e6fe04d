"""Does a loss that takes probabilities get something else?"""

import pytest

from diagnoser.evidence.preflight import LossProfile, ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.logits_to_probability_loss import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

NLL = make.assumptions(loss="nll_loss", loss_family="nll")
BCE = make.assumptions(loss="binary_cross_entropy", loss_family="bce", task="binary", classes=1)


def picks(*, log_probabilities: bool | None) -> LossProfile:
    return make.loss_profile(
        takes_log_probabilities=True, applies_softmax=False, rows_of_exp_sum_to_one=log_probabilities
    )


PROBABILITIES = make.loss_profile(takes_probabilities=True, applies_softmax=False)


def answers(**changes: object) -> ModelProfile:
    return make.model_profile(output=make.output_profile(**changes))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "logits into nll_loss": (
        (make.model_profile(), picks(log_probabilities=False), NLL),
        Severity.ERROR,
        Confidence.HIGH,
        "logits, not log",
    ),
    "probabilities into nll_loss": (
        (answers(rows_sum_to_one=True, within_unit_interval=True), picks(log_probabilities=False), NLL),
        Severity.ERROR,
        Confidence.HIGH,
        "not their logarithms",
    ),
    "logits into BCE": ((make.model_profile(), PROBABILITIES, BCE), Severity.ERROR, Confidence.HIGH, "outside [0, 1]"),
    "clamped logits into BCE": (
        (answers(minimum=0, maximum=1, exact_zero_share=0.5, final_operation="clamp"), PROBABILITIES, BCE),
        Severity.ERROR,
        Confidence.HIGH,
        "50% of them",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "log_softmax into nll_loss": ((make.model_profile(), picks(log_probabilities=True), NLL), "passed"),
    "sigmoid into BCE": (
        (answers(minimum=0, maximum=1, exact_one_share=0.3, final_operation="Sigmoid"), PROBABILITIES, BCE),
        "passed",
    ),
    "a loss inside a step": (
        (make.model_profile(), make.loss_profile(because_unjudged="inside a step"), make.assumptions()),
        "unjudged",
    ),
    "cross-entropy": ((make.model_profile(), make.loss_profile(), make.assumptions()), "not_applicable"),
    "rows that were not examined": ((make.model_profile(), picks(log_probabilities=None), NLL), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
