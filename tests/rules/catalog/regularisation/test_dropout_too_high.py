"""Does dropout take away more than it gives?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.regularisation.dropout_too_high import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def model(p: float, *, kind: str = "Dropout", first: bool = False) -> ModelProfile:
    """The perceptron with a dropout layer in the middle, or right behind the input."""
    drop = make.layer_profile("drop", type=kind, parameters=0, dropout=p, dead_share=None)
    layers = make.layers()
    return make.model_profile(layers=(drop, *layers) if first else (*layers[:2], drop, *layers[2:]))


STUCK = make.stuck_attempt(regularised=True)
BLOCKED = make.overfit(attempts=(*make.overfit().attempts[:3], STUCK))
HALVED = make.treatment(rule="dropout-too-high", transforms=(Transform.HALVE_DROPOUT,), before=(0.6, 0.62, 0.61))
IN_VAIN = make.altered(HALVED, {"after": (0.6, 0.61, 0.6)})
LOW = make.curves(
    runs=tuple(make.curve_run(seed=s, reading=make.curve_reading(classes=("underfit",))) for s in range(3))
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "nine in ten": ((make.spec(), model(0.9)), Severity.INFO, Confidence.LOW, "90%"),
    "half of it is clearly better": (
        (make.spec(), model(0.9), make.treatments(HALVED)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "the small set is learned only without it": (
        (make.spec(), model(0.9), BLOCKED),
        Severity.WARNING,
        Confidence.MEDIUM,
        "memorised without",
    ),
    "on pictures": ((make.spec(), model(0.4, kind="Dropout2d")), Severity.INFO, Confidence.LOW, "40%"),
    "on inputs": ((make.spec(), model(0.3, first=True)), Severity.INFO, Confidence.LOW, "30%"),
    "a usual p in a run that underfits": ((make.spec(), model(0.4), LOW), Severity.INFO, Confidence.LOW, "no gap"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "half": ((make.spec(), model(0.5), make.overfit(), make.curves()), "passed"),
    "half, and the small set takes longer": ((make.spec(), model(0.5), BLOCKED), "passed"),
    "no dropout": ((make.spec(), make.model_profile()), "not_applicable"),
    "less was no better": ((make.spec(), model(0.9), make.treatments(IN_VAIN)), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


@pytest.mark.parametrize(("p", "confused"), [(0.9, True), (0.5, False)])
def test_one_minus_p_is_tried_above_one_half(p: float, confused: bool) -> None:
    tried = [fix.transforms for fix in fired(check, make.spec(), model(p), LOW).fixes]
    assert ((Transform.INVERT_DROPOUT,) in tried) is confused
