"""Do the targets lie where a fresh network cannot reach them soon?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.labels.regression_targets_unscaled import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN = make.assumptions(task="regression", loss="mse_loss", loss_family="mse", metric="r2")
PRICES = make.data_profile(targets=make.target_profile(kind="real", mean=206_000.0, std=115_000.0))
HELPED = make.treatments(make.treatment(transforms=(Transform.STANDARDISE_TARGETS,)))
FAILS = make.overfit(attempts=(make.stuck_attempt(), make.small_set_attempt(lr=0.1)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "prices are a hint": ((PRICES, KNOWN), Severity.INFO, Confidence.LOW, "mean 2.06e+05"),
    "prices that scaling cures": ((PRICES, KNOWN, HELPED), Severity.WARNING, Confidence.HIGH, "clearly better"),
    "prices out of Adam's reach": (
        (PRICES, KNOWN, make.optimizer_profile(), FAILS),
        Severity.WARNING,
        Confidence.MEDIUM,
        "321,000,000 updates",
    ),
    "prices that the small set learns": (
        (PRICES, KNOWN, make.optimizer_profile(), make.overfit()),
        Severity.INFO,
        Confidence.LOW,
        "near 0",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "hundred thousands of dollars, never standardised": (
        (make.data_profile(targets=make.target_profile(kind="real", mean=2.07, std=1.15)), KNOWN),
        "passed",
    ),
    "classes": ((make.data_profile(), make.assumptions()), "not_applicable"),
    "counts": (
        (PRICES, make.assumptions(task="regression", loss="poisson_nll_loss", loss_family="other")),
        "not_applicable",
    ),
    "constant targets": (
        (make.data_profile(targets=make.target_profile(kind="real", std=0)), KNOWN),
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
