"""Is every output compared with every target?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.output_target_broadcast import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

COLUMN = {"output_shape": (32, 1), "target_shape": (32,), "broadcasts": True}
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "(N, 1) against (N,)": (
        (make.loss_profile(**COLUMN, permutation_invariant=True),),
        Severity.ERROR,
        Confidence.HIGH,
        "(32, 1)",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "class labels": ((make.loss_profile(),), "passed"),
    "quantiles": ((make.loss_profile(**COLUMN, permutation_invariant=False),), "passed"),
    "an order that was not measured": ((make.loss_profile(**COLUMN, permutation_invariant=None),), "unjudged"),
    "a loss inside a step": ((make.loss_profile(because_unjudged="the loss is computed inside a step"),), "unjudged"),
    "no single target": ((make.loss_profile(target_shape=None),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
