"""Would another hidden activation do clearly better?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.activation.activation_unfit import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

TANH = make.model_profile(layers=(make.layer_profile(activation="tanh", dead_share=None),))
THOROUGH = make.spec(protocol={"preset": "thorough"})
RELU = {"transforms": (Transform.RELU_ACTIVATIONS,)}
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "ReLU is clearly better": (
        (make.spec(), TANH, make.treatments(make.treatment(**RELU))),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
    "worth a trial when there is time": ((THOROUGH, TANH), Severity.INFO, Confidence.LOW, "worth a trial"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ReLU is not better": (
        (make.spec(), TANH, make.treatments(make.treatment(**RELU, after=(0.11, 0.10, 0.12)))),
        "passed",
    ),
    "not tried": ((make.spec(), TANH), "unjudged"),
    "an activation that is not exchanged": (
        (THOROUGH, make.model_profile(layers=(make.layer_profile(activation="other", dead_share=None),))),
        "not_applicable",
    ),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
