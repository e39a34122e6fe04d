"""Does the weight decay that was asked for reach the loss or the optimizer?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.regularisation.weight_penalty_not_wired import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "nothing changes": (
        (make.initial_loss(penalty_asked=True, penalty_in_loss=0.0, penalty_in_weights=0.0),),
        Severity.WARNING,
        Confidence.HIGH,
        "not passed on",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "in the optimizer": ((make.initial_loss(penalty_asked=True),), "passed"),
    "in the loss": ((make.initial_loss(penalty_asked=True, penalty_in_loss=12.0, penalty_in_weights=0.0),), "passed"),
    "not asked for": ((make.initial_loss(penalty_in_weights=0.0),), "not_applicable"),
    "in half precision one update may be rounded away": (
        (
            make.initial_loss(penalty_asked=True, penalty_in_loss=0.0, penalty_in_weights=0.0),
            make.model_profile(half_precision_weights=True),
        ),
        "unjudged",
    ),
    "not measured": ((make.initial_loss(penalty_asked=True, penalty_in_loss=None),), "unjudged"),
    "not finite": ((make.initial_loss(penalty_asked=True, penalty_in_weights=float("nan")),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
