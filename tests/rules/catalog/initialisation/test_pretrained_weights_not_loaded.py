"""Were pretrained weights asked for, and are the weights random nevertheless?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.initialisation.pretrained_weights_not_loaded import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

ASKED = make.spec(model={"factory": "project:build_model", "args": {"pretrained": True}})
RANDOM = make.model_profile(random_share_outside_head=0.98)
FROZEN_RANDOM = make.model_profile(frozen_parameters=5000, frozen_are_random_share=1.0)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "pretrained weights were asked for and the weights are random": (
        (ASKED, RANDOM),
        Severity.ERROR,
        Confidence.HIGH,
        "98%",
    ),
    "the frozen part is random": ((ASKED, FROZEN_RANDOM), Severity.ERROR, Confidence.HIGH, "frozen"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "no pretrained weights asked for": ((make.spec(), RANDOM), "not_applicable"),
    "pretrained: false": (
        (make.spec(model={"factory": "project:build_model", "args": {"pretrained": False}}), RANDOM),
        "not_applicable",
    ),
    "pretrained layers under a new head": ((ASKED, make.model_profile(random_share_outside_head=0.0)), "passed"),
    "every build is the same": ((ASKED, make.model_profile(equal_for_different_seeds=True)), "passed"),
    "a difference that was not measured": ((ASKED, make.model_profile()), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
