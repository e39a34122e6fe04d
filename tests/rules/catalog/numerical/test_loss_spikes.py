"""Does the loss jump up and come back, again and again?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.numerical.loss_spikes import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(spikes: int, **changes: object) -> Curves:
    reading = make.curve_reading(spikes=spikes, classes=("spikes",))
    return make.curves(runs=tuple(make.curve_run(seed=seed, reading=reading, **changes) for seed in range(3)))


LOWER = make.treatment(
    rule="loss-spikes", transforms=(), patch={"optimizer.lr": 3e-4}, before=(0.5, 0.52, 0.51), after=(0.9, 0.91, 0.9)
)
IN_VAIN = make.altered(LOWER, {"after": (0.5, 0.51, 0.5)})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "five": ((make.spec(), make.assumptions(), runs(5)), Severity.INFO, Confidence.LOW, "5 times"),
    "a lower lr is clearly better": (
        (make.spec(), make.assumptions(), runs(5), make.treatments(LOWER)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "none": ((make.spec(), make.assumptions(), make.curves()), "passed"),
    "two": ((make.spec(), make.assumptions(), runs(2)), "passed"),
    "a lower lr is no better": ((make.spec(), make.assumptions(), runs(5), make.treatments(IN_VAIN)), "passed"),
    "an objective that draws noise": (
        (make.spec(), make.assumptions(), runs(5, evaluation_noise=0.1)),
        "not_applicable",
    ),
    "a diffusion step": ((make.spec(), make.assumptions(task=Task.CUSTOM), runs(5)), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
