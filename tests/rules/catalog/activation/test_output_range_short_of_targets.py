"""Can the outputs reach the targets at all?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.activation.output_range_short_of_targets import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

MSE = make.assumptions(task="regression", loss="mse_loss", loss_family="mse", metric="r2")


def answers(**changes: object) -> ModelProfile:
    return make.model_profile(output=make.output_profile(**changes))


TANH = {"lower_bound": -1.0, "upper_bound": 1.0, "final_operation": "Tanh"}
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "tanh on targets of mean 0 and std 1": (
        (MSE, answers(**TANH, targets_out_of_range_share=0.31)),
        Severity.ERROR,
        Confidence.HIGH,
        "31.0%",
    ),
    "ReLU on negative targets": (
        (MSE, answers(lower_bound=0.0, final_operation="ReLU", targets_out_of_range_share=0.5)),
        Severity.ERROR,
        Confidence.HIGH,
        "between 0 and ∞",
    ),
    "ReLU on logits": (
        (make.assumptions(), answers(never_negative=True, exact_zero_share=0.5, final_operation="ReLU")),
        Severity.ERROR,
        Confidence.HIGH,
        "50% of them",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "logits": ((make.assumptions(), make.model_profile()), "passed"),
    "pixels under a sigmoid": (
        (MSE, answers(lower_bound=0.0, upper_bound=1.0, within_unit_interval=True, targets_out_of_range_share=0.0)),
        "passed",
    ),
    "softmax on logits is another rule's": (
        (make.assumptions(), answers(never_negative=True, within_unit_interval=True, exact_zero_share=0.4)),
        "passed",
    ),
    "nothing to compare with": ((MSE, make.model_profile()), "not_applicable"),
    "outputs that could not be examined": ((MSE, make.model_profile(output=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
