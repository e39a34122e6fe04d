"""Should the pretrained part of the model move more gently than its new head?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.fine_tuning_unstaged import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec()
TUNED = make.model_profile(random_share_outside_head=0.0)
GROUPS = {"optimizer.groups": [{"match": "net.0.*", "lr_scale": 0.1}, {"match": "net.2.*", "lr_scale": 0.1}]}
HELPED = make.treatments(make.treatment(patch=GROUPS, transforms=()))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "pretrained layers at the head's rate are a hint": ((SPEC, TUNED), Severity.INFO, Confidence.LOW, "pretrained"),
    "a gentler rate is clearly better": ((SPEC, TUNED, HELPED), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a fresh model": ((SPEC, make.model_profile(random_share_outside_head=1.0)), "not_applicable"),
    "a model that was not compared": ((SPEC, make.model_profile()), "not_applicable"),
    "groups of parameters": (
        (make.spec(optimizer={"groups": [{"match": "net.0.*", "lr_scale": 0.1}]}), TUNED),
        "passed",
    ),
    "a frozen backbone": (
        (SPEC, make.model_profile(random_share_outside_head=0.0, frozen_parameters=8000)),
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
