"""Do the outputs depend on the inputs at all?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.architecture.inputs_ignored_by_model import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

IGNORED = make.model_profile(inputs_ignored=True)
STUCK = make.overfit(
    attempts=(*(make.stuck_attempt(seed=s) for s in range(3)), make.stuck_attempt(control="zeroed_inputs"))
)
CONSTANT = make.model_profile(inputs_ignored=True, output=make.output_profile(std=0.0, minimum=0.0, maximum=0.0))
DEAD = make.model_profile(inputs_ignored=True, layers=(make.layer_profile(dead_share=1.0),))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "outputs that do not follow the inputs": ((IGNORED,), Severity.ERROR, Confidence.HIGH, "changes no output"),
    "a small set that is learned as badly without inputs": (
        (IGNORED, STUCK),
        Severity.ERROR,
        Confidence.HIGH,
        "set to zero",
    ),
    "constant outputs and a small set that needs no inputs": (
        (CONSTANT, STUCK),
        Severity.ERROR,
        Confidence.HIGH,
        "changes no output",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a model that follows its inputs": ((make.model_profile(),), "passed"),
    "a model that learns the small set": ((IGNORED, make.overfit()), "passed"),
    "a last layer that starts at zero": ((CONSTANT,), "unjudged"),
    "a dead layer, which is another rule's business": ((DEAD,), "unjudged"),
    "a model whose inputs cannot be exchanged": ((make.model_profile(inputs_ignored=None),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
