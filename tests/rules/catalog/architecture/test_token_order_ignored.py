"""Does a sequence model notice the order of its tokens?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from diagnoser.trials import Transform
from rules.catalog.architecture.token_order_ignored import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

LANGUAGE = make.assumptions(task=Task.LANGUAGE_MODEL)
BAG = make.model_profile(order_ignored=True)
SET = make.model_profile(order_ignored=True, attention=True)
SOURCE = make.model_profile(order_ignored=False, other_order_ignored=True, attention=True)
PLACED = make.treatment(transforms=(Transform.INSERT_POSITIONS,))
IN_VAIN = make.treatment(transforms=(Transform.INSERT_POSITIONS,), after=(0.11, 0.1, 0.12))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a language model without positions": ((LANGUAGE, BAG), Severity.WARNING, Confidence.HIGH, "next token"),
    "a classifier of sets of tokens": ((make.assumptions(), BAG), Severity.INFO, Confidence.HIGH, "as it was"),
    "attention without positions": ((make.assumptions(), SET), Severity.INFO, Confidence.HIGH, "as it was"),
    "and positions help": (
        (make.assumptions(), SET, make.treatments(PLACED)),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
    "what is to be translated": (
        (LANGUAGE, SOURCE, make.treatments(PLACED)),
        Severity.WARNING,
        Confidence.HIGH,
        "In another text",
    ),
    "positions bring nothing to a language model here": (
        (LANGUAGE, make.model_profile(order_ignored=True, attention=True), make.treatments(IN_VAIN)),
        Severity.WARNING,
        Confidence.HIGH,
        "next token",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a model that notices the order": ((LANGUAGE, make.model_profile(order_ignored=False)), "passed"),
    "positions bring nothing": ((make.assumptions(), SET, make.treatments(IN_VAIN)), "passed"),
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
