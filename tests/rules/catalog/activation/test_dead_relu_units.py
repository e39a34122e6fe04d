"""Are there layers whose ReLU never lets anything through?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.activation.dead_relu_units import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec()


def born(share: float) -> ModelProfile:
    return make.model_profile(layers=(make.layer_profile("net.0"), make.layer_profile("net.2", dead_share=share)))


def ends(*shares: float) -> Curves:
    traces = [make.layer_trace("net.2", dead_share=(0.1, 0.3, 0.5, share)) for share in shares]
    return make.curves(runs=tuple(make.curve_run(seed=s, layers=(trace,)) for s, trace in enumerate(traces)))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a layer dead from the start": ((SPEC, born(1.0)), Severity.ERROR, Confidence.HIGH, "before any training"),
    "nearly a whole layer": ((SPEC, born(0.93)), Severity.WARNING, Confidence.MEDIUM, "93%"),
    "a layer that died in training": (
        (SPEC, born(0.1), ends(1.0, 1.0, 0.2)),
        Severity.ERROR,
        Confidence.HIGH,
        "after training",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "half a layer": ((SPEC, born(0.55)), "passed"),
    "one seed of three": ((SPEC, born(0.1), ends(1.0, 0.3, 0.2)), "passed"),
    "a healthy run": ((SPEC, make.model_profile(), make.curves()), "passed"),
    "no ReLU": (
        (SPEC, make.model_profile(layers=(make.layer_profile(activation="tanh", dead_share=None),))),
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
