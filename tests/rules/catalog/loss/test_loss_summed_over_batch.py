"""Does the loss grow with the batch?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.loss_summed_over_batch import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SUM = make.loss_profile(doubled_batch_ratio=2.0)
MEAN = {"loss.args.reduction": "mean"}
HIGH = make.initial_loss(observed=(2.31 * 512,) * 5)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a sum": ((make.spec(), SUM), Severity.INFO, Confidence.LOW, "2.00 times the loss"),
    "a sum that starts at the batch size times chance": (
        (make.spec(), SUM, HIGH),
        Severity.INFO,
        Confidence.MEDIUM,
        "batch size times chance",
    ),
    "a sum at a rate that diverges": (
        (make.spec(), SUM, make.lr_scan(user_lr=1.0)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "diverges",
    ),
    "a sum, and the mean is better": (
        (make.spec(), SUM, make.treatments(make.treatment(transforms=(), patch=MEAN))),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a mean": ((make.spec(), make.loss_profile()), "passed"),
    "not measured": ((make.spec(), make.loss_profile(doubled_batch_ratio=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
