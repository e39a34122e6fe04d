"""Is the next token really the next one?"""

import pytest

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.labels.next_token_targets_unshifted import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def shifted(**shares: float) -> DataProfile:
    none = {"shifted_targets_share": 0.06, "unshifted_targets_share": 0.05, "twice_shifted_targets_share": 0.05}
    return make.data_profile(**(none | shares), input_kind="tokens")


SPEC, OWN_STEP = make.spec(), make.spec(loss=None, step="project:step")
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "not shifted": ((SPEC, shifted(unshifted_targets_share=1.0)), Severity.ERROR, Confidence.HIGH, "only has to copy"),
    "shifted twice": (
        (SPEC, shifted(twice_shifted_targets_share=0.995)),
        Severity.ERROR,
        Confidence.HIGH,
        "two tokens ahead",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "shifted once": ((SPEC, shifted(shifted_targets_share=1.0)), "passed"),
    "one letter for ever": (
        (SPEC, shifted(shifted_targets_share=1.0, unshifted_targets_share=1.0)),
        "passed",
    ),
    "a step that may shift": ((OWN_STEP, shifted(unshifted_targets_share=1.0)), "unjudged"),
    "no text": ((SPEC, make.data_profile()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


@pytest.mark.parametrize("share", ["unshifted_targets_share", "twice_shifted_targets_share"])
def test_targets_are_shifted_by_machine(share: str) -> None:
    (fix,) = fired(check, SPEC, shifted(**{share: 1.0})).fixes
    assert fix.transforms == (Transform.SHIFT_TARGETS,)
