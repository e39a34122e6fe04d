"""Do the training batches come in an order that the labels can be told from?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.training_data_not_shuffled import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN = make.assumptions()
SORTED = make.data_profile(batch_label_spread=0.05, declared_shuffle=False)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "sorted by class": ((SORTED, KNOWN), Severity.WARNING, Confidence.HIGH, "5%"),
    "a sorted stream is a hint": (
        (make.data_profile(batch_label_spread=0.05, input_kind="sequence"), KNOWN),
        Severity.INFO,
        Confidence.LOW,
        "sorted",
    ),
    "a sorted stream whose loss repeats every epoch": (
        (
            make.data_profile(batch_label_spread=0.05, input_kind="sequence"),
            KNOWN,
            make.curves(
                runs=(make.curve_run(reading=make.curve_reading(lag_one_epoch_autocorrelation=0.8)),),
            ),
        ),
        Severity.WARNING,
        Confidence.HIGH,
        "repeats itself",
    ),
    "the same order each epoch": (
        (make.data_profile(same_order_every_epoch=True), KNOWN),
        Severity.INFO,
        Confidence.MEDIUM,
        "same order",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "shuffled": ((make.data_profile(), KNOWN), "passed"),
    "not shuffled, in random order already": (
        (make.data_profile(declared_shuffle=False, same_order_every_epoch=True), KNOWN),
        "passed",
    ),
    "batches of four": ((SORTED, make.assumptions(input_shape=(4, 64))), "unjudged"),
    "one batch": ((SORTED, make.assumptions(input_shape=(1000, 64))), "not_applicable"),
    "a language model": ((SORTED, make.assumptions(task="language_model")), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
