"""Does the same seed give the same run?"""

from math import nan

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.reproducibility.seeds_not_fixed import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a generator without a seed": (
        (make.repeatability(largest_relative_difference=0.03),),
        Severity.INFO,
        Confidence.HIGH,
        "0.03",
    ),
    "a label map from a set": (
        (make.repeatability(labels_depend_on_hash_seed=True),),
        Severity.ERROR,
        Confidence.HIGH,
        "built from a set",
    ),
    "a GPU is not blamed": (
        (make.repeatability(largest_relative_difference=3e-4), make.system_profile(device="cuda:0")),
        Severity.INFO,
        Confidence.HIGH,
        "another order",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "the same seed, the same run": ((make.repeatability(),), "passed"),
    "losses that are not finite": ((make.repeatability(largest_relative_difference=nan),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
