"""Does the softmax run over the batch instead of the classes?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.softmax_over_wrong_axis import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def answers(**changes: object) -> ModelProfile:
    return make.model_profile(output=make.output_profile(**changes))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "softmax down the batch": (
        (answers(columns_sum_to_one=True, final_operation="Softmax"),),
        Severity.ERROR,
        Confidence.HIGH,
        "32 rows compete",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "logits": ((make.model_profile(),), "passed"),
    "softmax across classes": ((answers(rows_sum_to_one=True),), "passed"),
    "one output": ((answers(shape=(32, 1), columns_sum_to_one=True),), "not_applicable"),
    "outputs that could not be examined": ((make.model_profile(output=None),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
