"""Does the eps of a normalisation layer hide the variance, or fail to guard against zero?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.normalisation.normalisation_eps_out_of_range import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def model(eps: float, *, spread: float = 1.0) -> ModelProfile:
    """The perceptron with a LayerNorm behind its first layer."""
    norm = make.layer_profile("norm", type="LayerNorm", parameters=128, eps=eps, input_std=spread)
    return make.model_profile(layers=(*make.layers()[:2], norm, *make.layers()[2:]))


USUAL = make.treatment(
    rule="normalisation-eps-out-of-range", transforms=(Transform.DEFAULT_NORM_EPS,), before=(0.5, 0.52, 0.51)
)
IN_VAIN = make.altered(USUAL, {"after": (0.5, 0.51, 0.5)})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "large": ((make.spec(), model(0.1)), Severity.INFO, Confidence.LOW, "eps 0.1"),
    "so large that nothing is normalised": (
        (make.spec(), model(10.0, spread=0.1)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "0.032 instead of 1",
    ),
    "1e-5 is clearly better": (
        (make.spec(), model(0.1), make.treatments(USUAL)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "nothing": ((make.spec(), model(0.0)), Severity.INFO, Confidence.LOW, "eps 0"),
    "nothing in float16": ((make.spec(precision="float16"), model(1e-8)), Severity.INFO, Confidence.LOW, "1e-08"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "usual": ((make.spec(), model(1e-5)), "passed"),
    "1e-3 is in use": ((make.spec(), model(1e-3, spread=1e-4)), "passed"),
    "1e-8 in float32": ((make.spec(), model(1e-8)), "passed"),
    "1e-5 is no better": ((make.spec(), model(0.1), make.treatments(IN_VAIN)), "passed"),
    "no normalisation": ((make.spec(), make.model_profile()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
