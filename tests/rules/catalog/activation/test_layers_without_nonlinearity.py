"""Is the whole network one linear map?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.activation.layers_without_nonlinearity import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LINEAR = make.model_profile(affine=True)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "three linear layers": ((LINEAR,), Severity.INFO, Confidence.LOW, "3 layers"),
    "three linear layers that ReLU improves": (
        (LINEAR, make.treatments(make.treatment(transforms=(Transform.INSERT_RELU,)))),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ReLU between": ((make.model_profile(),), "passed"),
    "logistic regression": ((make.model_profile(affine=True, weight_layers=1),), "not_applicable"),
    "not measured": ((make.model_profile(affine=None),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
