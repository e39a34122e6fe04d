"""Can a language model see the token that it must predict?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.architecture.future_tokens_visible import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LANGUAGE = make.assumptions(task=Task.LANGUAGE_MODEL)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a language model without a causal mask": (
        (LANGUAGE, make.model_profile(future_visible=True)),
        Severity.ERROR,
        Confidence.HIGH,
        "see what it must predict",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a causal language model": ((LANGUAGE, make.model_profile(future_visible=False)), "passed"),
    "a classifier": ((make.assumptions(), make.model_profile(future_visible=True)), "not_applicable"),
    "a language model that could not be probed": ((LANGUAGE, make.model_profile(future_visible=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
