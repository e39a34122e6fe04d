"""Is there a softmax over a single output?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.activation.softmax_over_one_unit import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

ONE = make.model_profile(output=make.output_profile(shape=(32, 1), constant_one=True, final_operation="Softmax"))
LOGIT = make.model_profile(output=make.output_profile(shape=(32, 1)))
BINARY = make.assumptions(task="binary", classes=1, loss_family="bce")
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "softmax over one output": ((BINARY, ONE), Severity.ERROR, Confidence.HIGH, "always 1"),
    "cross-entropy over one output": (
        (make.assumptions(classes=1), LOGIT),
        Severity.ERROR,
        Confidence.HIGH,
        "loss's own",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ten outputs": ((make.assumptions(), make.model_profile()), "passed"),
    "one logit": ((BINARY, LOGIT), "passed"),
    "outputs that could not be examined": ((BINARY, make.model_profile(output=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
