"""Do parameters with a gradient stay as they are?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.optimizer_not_stepped import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

STILL = make.loop_audit(steps=0, parameters_changed=False)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a loop without a step": ((make.spec(), STILL), Severity.ERROR, Confidence.HIGH, "never steps"),
    "a step without effect": (
        (make.spec(), make.loop_audit(parameters_changed=False)),
        Severity.ERROR,
        Confidence.HIGH,
        "change nothing",
    ),
    "our own updates change nothing": (
        (make.spec(), make.optimizer_profile(unchanged=("net.0.weight",))),
        Severity.ERROR,
        Confidence.HIGH,
        "net.0.weight",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "all moved": ((make.spec(), make.optimizer_profile(), make.loop_audit()), "passed"),
    "frozen for the first epoch": (
        (
            make.spec(optimizer={"groups": [{"match": "backbone.*", "frozen_epochs": 1}]}),
            make.optimizer_profile(unchanged=("backbone.0.weight",)),
        ),
        "passed",
    ),
    "too few batches for one update": ((make.spec(accumulate_batches=8), STILL), "passed"),
    "no gradient at all is another fault": (
        (make.spec(), make.loop_audit(parameters_changed=False, gradient_nonzero=False)),
        "passed",
    ),
    "not measured": ((make.spec(),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
