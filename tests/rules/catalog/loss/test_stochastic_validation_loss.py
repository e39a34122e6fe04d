"""Is the validation loss a draw of chance?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.stochastic_validation_loss import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def noisy(sd: float, *losses: float) -> Curves:
    return make.curves(
        runs=tuple(make.curve_run(seed=s, evaluation_noise=sd, validation_loss=losses) for s in range(3))
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a diffusion loss": ((noisy(0.05, 1.0, 1.05, 0.97, 1.03, 0.99, 1.02),), Severity.INFO, Confidence.MEDIUM, "5%"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a loss without chance": ((make.curves(),), "passed"),
    "noise that hardly matters": ((noisy(0.05, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0),), "passed"),
    "not measured": ((make.curves(runs=(make.curve_run(evaluation_noise=None),)),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
