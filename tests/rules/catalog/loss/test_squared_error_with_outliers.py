"""Do a few rows own the squared error?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.squared_error_with_outliers import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

MSE = make.assumptions(task="regression", loss="mse_loss", loss_family="mse", metric="r2")
HEAVY = make.curves(metric="r2", runs=tuple(make.curve_run(seed=s, outlier_loss_share=0.8) for s in range(3)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "heavy tails are a hint": ((MSE, HEAVY), Severity.INFO, Confidence.LOW, "80%"),
    "heavy tails, and the absolute error is better": (
        (MSE, HEAVY, make.treatments(make.treatment(transforms=(), patch={"loss": "l1_loss"}))),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "normal residuals": ((MSE, make.curves(runs=(make.curve_run(outlier_loss_share=0.08),))), "passed"),
    "not measured": ((MSE, make.curves()), "unjudged"),
    "classes": ((make.assumptions(), make.curves()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
