"""Are several hidden layers squashed by sigmoids?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.activation.sigmoid_in_hidden_layers import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def sigmoids(count: int) -> ModelProfile:
    return make.model_profile(
        layers=tuple(make.layer_profile(f"net.{n}", activation="sigmoid", dead_share=None) for n in range(count))
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "three sigmoid layers": ((sigmoids(3),), Severity.INFO, Confidence.LOW, "0.016"),
    "three sigmoid layers that ReLU improves": (
        (sigmoids(3), make.treatments(make.treatment(transforms=(Transform.RELU_ACTIVATIONS,)))),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ReLU": ((make.model_profile(),), "passed"),
    "one sigmoid layer": ((sigmoids(1),), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
