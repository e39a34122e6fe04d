"""Does the loss leave out a class?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.labels.targets_masked_out import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN, DATA = make.assumptions(), make.data_profile()
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "class 0 is ignored": (
        (KNOWN, DATA, make.loss_profile(ignored_class=0)),
        Severity.ERROR,
        Confidence.HIGH,
        "Class 0, 99 training rows",
    ),
    "class 3 weighs nothing": (
        (KNOWN, DATA, make.loss_profile(zero_weight_classes=(3,))),
        Severity.ERROR,
        Confidence.HIGH,
        "weight of 0",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "every class counts": ((KNOWN, DATA, make.loss_profile()), "passed"),
    "a weightless class that never occurs": ((KNOWN, DATA, make.loss_profile(zero_weight_classes=(10,))), "passed"),
    "a loss inside a step": ((KNOWN, DATA, make.loss_profile(because_unjudged="inside a step")), "unjudged"),
    "padding": ((make.assumptions(task="language_model"), DATA, make.loss_profile(ignored_class=0)), "not_applicable"),
    "real targets": (
        (KNOWN, make.data_profile(targets=make.target_profile(kind="real")), make.loss_profile()),
        "not_applicable",
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
