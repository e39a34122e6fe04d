"""Were training and validation inputs prepared in the same way?"""

from math import nan

import pytest

from diagnoser.evidence.preflight import Score
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.data.validation_preprocessed_differently import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

RAW = make.data_profile(validation_shift=4.8, validation_std_ratio=255.0)
FAILS = make.baselines(scores=(Score(name="linear", train=0.99, validation=0.2),), held_out_training=0.94)
MAPPED = make.treatments(make.treatment(transforms=(Transform.VALIDATION_AS_TRAINING,)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "raw validation pictures": ((RAW,), Severity.ERROR, Confidence.MEDIUM, "255 times"),
    "raw validation pictures that a simple model cannot read": (
        (RAW, FAILS),
        Severity.ERROR,
        Confidence.HIGH,
        "fails on them",
    ),
    "raw validation pictures, and mapped ones are recognised": (
        (RAW, MAPPED),
        Severity.ERROR,
        Confidence.HIGH,
        "in one scale",
    ),
    "a time series may drift, even if mapping it helps": (
        (make.data_profile(input_kind="sequence", validation_shift=3.5), MAPPED),
        Severity.INFO,
        Confidence.LOW,
        "in one scale",
    ),
    "a validation set that hardly varies": (
        (make.data_profile(validation_std_ratio=0.004),),
        Severity.ERROR,
        Confidence.MEDIUM,
        "0.004 times",
    ),
    "a time series that drifts is a hint": (
        (make.data_profile(input_kind="sequence", validation_shift=3.5),),
        Severity.INFO,
        Confidence.LOW,
        "3.5",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "one transform": ((make.data_profile(),), "passed"),
    "few rows": ((make.data_profile(validation=make.split_profile(rows=20, rows_read=20)),), "unjudged"),
    "tokens": ((make.data_profile(input_kind="tokens"),), "not_applicable"),
    "NaN": ((make.data_profile(validation_shift=nan),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
