"""Do the initial weights let the signal fade?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.initialisation.initial_weights_too_small import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FADING = make.model_profile(
    layers=tuple(make.layer_profile(f"net.{i}", input_std=0.3**i, output_std=0.3 ** (i + 1)) for i in range(6))
)
HEALTHY_DEPTH = make.model_profile(
    layers=tuple(make.layer_profile(f"net.{i}", input_std=0.41**i, output_std=0.41 ** (i + 1)) for i in range(8))
)


def moving(first: float, *classes: str) -> Record:
    layers = (make.layer_trace("net.0", update_ratio=(first,) * 4), make.layer_trace("net.5", update_ratio=(0.01,) * 4))
    reading = make.curve_reading(classes=classes or ("good_fit",))
    return make.curves(runs=tuple(make.curve_run(seed=s, layers=layers, reading=reading) for s in range(3)))


REDRAWN = make.treatments(make.treatment(transforms=(Transform.REINITIALISE,)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a fading signal and a first layer that stands still are a hint": (
        (FADING, moving(1e-6)),
        Severity.INFO,
        Confidence.LOW,
        "6 layers",
    ),
    "with a curve that starts late": (
        (FADING, moving(1e-6, "late_start")),
        Severity.WARNING,
        Confidence.MEDIUM,
        "6 layers",
    ),
    "random weights of the right size are clearly better": (
        (FADING, moving(1e-6), REDRAWN),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy network": ((make.model_profile(), make.curves()), "passed"),
    "eight default layers under Adam": ((HEALTHY_DEPTH, moving(0.008)), "passed"),
    "a fading signal whose layers were not traced": ((FADING,), "unjudged"),
    "pretrained weights": ((make.model_profile(equal_for_different_seeds=True),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
