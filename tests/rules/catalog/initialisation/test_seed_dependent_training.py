"""Does it depend on the seed whether the model learns at all?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.initialisation.seed_dependent_training import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec()
SPLIT = make.curves(
    runs=(*(make.curve_run(seed=s) for s in range(2)), make.curve_run(seed=2, smoothed=(2.31, 2.30, 2.29)))
)
SMALL_SET = make.overfit(attempts=(*(make.small_set_attempt(seed=s) for s in range(2)), make.stuck_attempt(seed=2)))
ALL_STUCK = make.curves(runs=tuple(make.curve_run(seed=s, smoothed=(2.31, 2.30)) for s in range(3)))
REDRAWN = make.treatments(make.treatment(transforms=(Transform.REINITIALISE,)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "one run of three stays at its start": ((SPEC, SPLIT), Severity.WARNING, Confidence.MEDIUM, "1 of 3 seeds"),
    "so does one small set": ((SPEC, SPLIT, SMALL_SET), Severity.WARNING, Confidence.HIGH, "Your training"),
    "the small set alone is a hint": ((SPEC, make.curves(), SMALL_SET), Severity.INFO, Confidence.LOW, "The small set"),
    "other weights are clearly better": ((SPEC, SPLIT, REDRAWN), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "all seeds learn": ((SPEC, make.curves(), make.overfit()), "passed"),
    "no seed learns, which is another fault": ((SPEC, ALL_STUCK), "passed"),
    "two seeds": ((SPEC, make.curves(runs=tuple(make.curve_run(seed=s) for s in range(2)))), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
