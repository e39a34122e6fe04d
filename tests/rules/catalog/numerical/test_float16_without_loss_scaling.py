"""Is training in float16 lost to gradients that round to zero or overflow?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.numerical.float16_without_loss_scaling import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

HALF = make.spec(precision="float16")
LOST = make.curves(runs=tuple(make.curve_run(seed=seed, outcome=Outcome.DIVERGED) for seed in range(3)))
STILL = make.curves(
    runs=tuple(make.curve_run(seed=s, reading=make.curve_reading(classes=("plateau",))) for s in range(3))
)
BRAIN = make.treatment(
    rule="float16-without-loss-scaling", transforms=(), patch={"precision": "bfloat16"}, before=(0.5, 0.52, 0.51)
)
IN_VAIN = make.altered(BRAIN, {"after": (0.5, 0.51, 0.5)})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "runs are lost": ((HALF, LOST), Severity.INFO, Confidence.LOW, "3 of 3 runs lost"),
    "runs are lost, and not in bfloat16": (
        (HALF, LOST, make.treatments(BRAIN)),
        Severity.ERROR,
        Confidence.HIGH,
        "Tried",
    ),
    "the loss stands still, and not in bfloat16": (
        (HALF, STILL, make.treatments(BRAIN)),
        Severity.WARNING,
        Confidence.HIGH,
        "stands still",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "float32": ((make.spec(), LOST), "not_applicable"),
    "float16 that learns": ((HALF, make.loop_audit(), make.curves()), "passed"),
    "bfloat16 is no better": ((HALF, LOST, make.treatments(IN_VAIN)), "passed"),
    "no run": ((HALF,), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
