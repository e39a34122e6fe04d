"""Does the gradient reach the parameters that are to be trained?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.graph_detached import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

NO_GRAPH = make.user_error(
    kind="RuntimeError", message="element 0 of tensors does not require grad and does not have a grad_fn"
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a loss without a graph": (
        (make.model_profile(grad_free_before="the loss"),),
        Severity.ERROR,
        Confidence.HIGH,
        "The loss has no gradient",
    ),
    "a cut in the middle": (
        (make.model_profile(grad_free_before="net.4", random_share_outside_head=1.0),),
        Severity.ERROR,
        Confidence.HIGH,
        "net.4",
    ),
    "a pretrained backbone under no_grad": (
        (make.model_profile(grad_free_before="head", random_share_outside_head=0.0),),
        Severity.INFO,
        Confidence.LOW,
        "may be meant",
    ),
    "a loop that detaches": (
        (make.model_profile(), make.loop_audit(error=NO_GRAPH, backwards=0)),
        Severity.ERROR,
        Confidence.HIGH,
        "without a graph",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "whole": ((make.model_profile(), make.loop_audit(), make.curves()), "passed"),
    "another error in the loop": ((make.model_profile(), make.loop_audit(error=make.user_error())), "passed"),
    "no backward pass": ((make.model_profile(unanswered=("the gradients: ValueError: shapes",)),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
