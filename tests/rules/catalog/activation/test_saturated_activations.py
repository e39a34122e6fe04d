"""Do hidden sigmoids or tanhs sit on their flat parts?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.activation.saturated_activations import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def start(share: float, before: float, behind: float) -> ModelProfile:
    first = make.layer_profile(activation="tanh", dead_share=None, saturated_share=share, gradient_norm=before)
    return make.model_profile(layers=(first, make.layer_profile("net.2", gradient_norm=behind, hidden=False)))


def training(share: float) -> Curves:
    first = make.layer_trace(
        "net.0", saturated_share=(0.1, share, share, share), gradient_norm=(0.01,) * 4, dead_share=()
    )
    return make.curves(
        runs=tuple(
            make.curve_run(seed=s, layers=(first, make.layer_trace("net.2", gradient_norm=(0.5,) * 4)))
            for s in range(3)
        )
    )


XAVIER = make.treatments(make.treatment(transforms=(Transform.REINITIALISE,)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "saturated at the start": ((start(0.9, 0.001, 0.3),), Severity.WARNING, Confidence.MEDIUM, "300 times smaller"),
    "saturated, and Xavier cures it": (
        (start(0.9, 0.001, 0.3), XAVIER),
        Severity.WARNING,
        Confidence.HIGH,
        "at the start",
    ),
    "saturated in training": (
        (start(0.1, 0.2, 0.3), training(0.8)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "in training",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy tanh": ((start(0.1, 0.2, 0.3), training(0.3)), "passed"),
    "saturated, and the gradient passes": ((start(0.9, 0.2, 0.3),), "passed"),
    "no sigmoid or tanh": ((make.model_profile(),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
