"""Would a warm-up of the learning rate spare the first steps?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.warm_up_missing import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC, MODEL = make.spec(), make.model_profile(attention=True)
ADAM = make.optimizer_profile()
JUMPS = make.curves(runs=tuple(make.curve_run(seed=s, smoothed=(2.3, 2.4, 7.0, *(1.0,) * 157)) for s in range(3)))
STEPS = make.curves(
    runs=tuple(
        make.curve_run(
            seed=s, layers=(make.layer_trace(updates=(0, 16, 320, 639), update_ratio=(0.14, 0.3, 0.01, 0.01)),)
        )
        for s in range(3)
    )
)
WARM = {"scheduler": {"name": "ConstantLR", "args": {"factor": 1.0, "total_iters": 1}, "warmup": 0.05}}
HELPED = make.treatments(make.treatment(patch=WARM, transforms=()))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "attention whose loss jumps at first": (
        (SPEC, MODEL, ADAM, JUMPS),
        Severity.INFO,
        Confidence.LOW,
        "3 times its start",
    ),
    "attention whose first steps are huge": (
        (SPEC, MODEL, ADAM, STEPS),
        Severity.INFO,
        Confidence.LOW,
        "0.3 of the weights",
    ),
    "a warm-up is clearly better": ((SPEC, MODEL, ADAM, JUMPS, HELPED), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "attention that starts well": ((SPEC, MODEL, ADAM, make.curves()), "passed"),
    "a perceptron": ((SPEC, make.model_profile(), ADAM, JUMPS), "not_applicable"),
    "a warm-up": ((make.spec(scheduler={"name": "cosine", "warmup": 0.1}), MODEL, ADAM, JUMPS), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
