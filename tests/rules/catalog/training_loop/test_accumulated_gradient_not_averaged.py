"""Does accumulating batches make the gradient as many times larger?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.training_loop.accumulated_gradient_not_averaged import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SUMMED = make.loop_audit(backwards=8, steps=2, clears=2, accumulation_ratio=4.0)
SGD = make.optimizer_profile(name="SGD", settings={"lr": 0.1})
SPEC = make.spec(accumulate_batches=4, optimizer={"name": "sgd", "lr": 0.3})
TRIED = make.treatment(
    rule="accumulated-gradient-not-averaged", transforms=(Transform.OUR_LOOP,), before=(0.5, 0.52, 0.51)
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "summed": ((SPEC, SUMMED, SGD), Severity.INFO, Confidence.LOW, "works like 1.2"),
    "beyond the edge of the scan": (
        (SPEC, SUMMED, SGD, make.lr_scan()),
        Severity.WARNING,
        Confidence.MEDIUM,
        "diverges",
    ),
    "our loop is clearly better": (
        (SPEC, SUMMED, SGD, make.treatments(TRIED)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "averaged": ((SPEC, make.loop_audit(backwards=8, steps=2, accumulation_ratio=1.0), SGD), "passed"),
    "Adam does not care": ((SPEC, SUMMED, make.optimizer_profile()), "passed"),
    "a step after each batch": ((make.spec(), make.loop_audit()), "not_applicable"),
    "no loop": ((make.spec(), make.loop_audit(has_loop=False)), "not_applicable"),
    "not compared": ((SPEC, make.loop_audit(backwards=8, steps=2)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
