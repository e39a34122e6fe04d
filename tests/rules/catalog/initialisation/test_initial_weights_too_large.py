"""Do the initial weights blow the signal up?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.initialisation.initial_weights_too_large import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LOUD = make.initial_loss(observed=(17.9, 19.6, 14.8, 18.2, 16.9), outputs_std=(9.0, 9.4, 8.8, 9.1, 9.2))
MODEL, DATA = make.model_profile(), make.data_profile()
RAW = make.data_profile(train=make.split_profile(mean=7.0, std=6.0))
GROWING = make.model_profile(
    layers=tuple(make.layer_profile(f"net.{i}", input_std=3.0**i, output_std=3.0 ** (i + 1)) for i in range(5))
)
REDRAWN = make.treatments(make.treatment(transforms=(Transform.REINITIALISE,)))
CONTROL = make.overfit(
    attempts=(make.stuck_attempt(), make.stuck_attempt(lr=1e-4), make.small_set_attempt(control="reinitialised"))
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "sure of wrong answers on ordinary inputs": ((LOUD, MODEL, DATA), Severity.WARNING, Confidence.MEDIUM, "7.8 times"),
    "random weights of the right size are clearly better": (
        (LOUD, MODEL, DATA, REDRAWN),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "a signal that grows from layer to layer is a hint": (
        (make.initial_loss(), GROWING, DATA),
        Severity.INFO,
        Confidence.LOW,
        "5 layers",
    ),
    "a growing signal, and the small set needs other weights": (
        (make.initial_loss(), GROWING, DATA, CONTROL),
        Severity.WARNING,
        Confidence.MEDIUM,
        "drawn anew",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy start": ((make.initial_loss(), MODEL, DATA), "passed"),
    "raw inputs, which explain the start": ((LOUD, MODEL, RAW), "passed"),
    "a high loss from narrow outputs": ((make.initial_loss(observed=(9.0,) * 5), MODEL, DATA), "passed"),
    "a loss without theory": ((make.initial_loss(chance=None), MODEL, DATA), "passed"),
    "most weights pretrained and frozen": (
        (LOUD, make.model_profile(parameters=1000, frozen_parameters=800, frozen_are_random_share=0.0), DATA),
        "not_applicable",
    ),
    "pretrained weights": ((LOUD, make.model_profile(equal_for_different_seeds=True), DATA), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
