"""Are the calls of a training step made in an order that has the effect they are meant to have?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.loop_calls_out_of_order import check
from tests.helpers import make
from tests.helpers.judge import all_fired, fired, silent


def loop(*events: str, **changes: object) -> Record:
    """Two batches with these calls."""
    return make.loop_audit(order=events * 2, **changes)


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "cleared before the step": (
        (loop("forward", "backward", "zero_grad", "step", gradient_cosine=None),),
        Severity.ERROR,
        Confidence.HIGH,
        "gradient of zero",
    ),
    "clipped after the step": (
        (loop("zero_grad", "forward", "backward", "step", "clip"),),
        Severity.WARNING,
        Confidence.HIGH,
        "changes no update",
    ),
    "clipped before backward": (
        (loop("zero_grad", "forward", "clip", "backward", "step"),),
        Severity.WARNING,
        Confidence.HIGH,
        "no effect",
    ),
    "clipped before unscaling": (
        (loop("zero_grad", "forward", "backward", "clip", "unscale", "step"),),
        Severity.WARNING,
        Confidence.HIGH,
        "scaled up",
    ),
    "scheduler first": (
        (loop("zero_grad", "scheduler", "forward", "backward", "step"),),
        Severity.WARNING,
        Confidence.HIGH,
        "scheduler.step()",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "the usual order": ((loop("zero_grad", "forward", "backward", "clip", "step", "scheduler"),), "passed"),
    "cleared after the step": ((loop("forward", "backward", "step", "zero_grad"),), "passed"),
    "unscaled, then clipped": ((loop("zero_grad", "forward", "backward", "unscale", "clip", "step"),), "passed"),
    "another optimizer's zero_grad: a gradient was there": (
        (loop("forward", "backward", "zero_grad", "step"),),
        "passed",
    ),
    "a closure": ((loop("zero_grad", "forward", "backward", "zero_grad", "forward", "backward", "step"),), "passed"),
    "no step": ((loop("forward", "backward"),), "unjudged"),
    "no loop": ((make.loop_audit(has_loop=False),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_two_faults_are_two_findings() -> None:
    both = loop("zero_grad", "scheduler", "forward", "backward", "step", "clip")
    assert [finding.subject for finding in all_fired(check, both)] == ["clip", "scheduler"]


def test_a_gradient_wiped_out_explains_the_missing_step() -> None:
    assert "optimizer-not-stepped" in fired(check, *FIRES["cleared before the step"][0]).explains
