"""Does a sequence model notice the order of its tokens?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.architecture.token_order_ignored import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LANGUAGE = make.assumptions(task=Task.LANGUAGE_MODEL)
BAG = make.model_profile(order_ignored=True)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a language model without positions": ((LANGUAGE, BAG), Severity.WARNING, Confidence.HIGH, "next token"),
    "a classifier of sets of tokens": ((make.assumptions(), BAG), Severity.INFO, Confidence.HIGH, "as it was"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a model that notices the order": ((LANGUAGE, make.model_profile(order_ignored=False)), "passed"),
    "a model of tables": ((make.assumptions(), make.model_profile(order_ignored=None)), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
