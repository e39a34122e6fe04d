"""Are there trainable parameters that the optimizer does not know?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.optimizer.parameters_missing_from_optimizer import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec()
FIRST = make.optimizer_profile(missing=("net.0.weight", "net.0.bias"), missing_share=0.46)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a layer in no group": ((SPEC, FIRST), Severity.ERROR, Confidence.HIGH, "net.0.weight, net.0.bias"),
    "parameters of another model": (
        (SPEC, make.optimizer_profile(foreign=4)),
        Severity.ERROR,
        Confidence.HIGH,
        "4 parameters",
    ),
    "a step of the user's own may hold a second optimizer": (
        (make.spec(step="project:step"), FIRST),
        Severity.ERROR,
        Confidence.MEDIUM,
        "46%",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "all parameters in a group": ((SPEC, make.optimizer_profile()), "passed"),
    "a second optimizer in the step moves them": (
        (
            make.spec(step="project:step"),
            make.altered(FIRST, {"moved_elsewhere": ("net.0.weight", "net.0.bias")}),
        ),
        "passed",
    ),
    "only parameters without a gradient are missing": (
        (SPEC, FIRST, make.model_profile(unused=("net.0.weight", "net.0.bias"))),
        "passed",
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
