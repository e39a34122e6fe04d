"""Does something in the model stay random after `eval()`?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import Task
from rules.catalog.training_loop.dropout_active_in_eval import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

NOISY = make.model_profile(stochastic_in_eval=True)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "functional dropout": ((make.assumptions(), NOISY), Severity.ERROR, Confidence.HIGH, "ignores the mode"),
    "regression may be variational": (
        (make.assumptions(task=Task.REGRESSION), NOISY),
        Severity.ERROR,
        Confidence.MEDIUM,
        "ignores the mode",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "two passes agree": ((make.assumptions(), make.model_profile()), "passed"),
    "a diffusion step": ((make.assumptions(task=Task.CUSTOM), NOISY), "not_applicable"),
    "not the random state": (
        (make.assumptions(), make.model_profile(stochastic_in_eval=True, stochastic_with_fixed_seed=True)),
        "unjudged",
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
