"""Did the model get worse again after its best epoch?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.epochs.training_past_best_epoch import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec()


def runs(drop: float, *, best: float = 5.0, noise: float = 0.0, seeds: int = 3, **changes: object) -> Record:
    past = make.curve_reading(best_epoch=best, drop_since_best=drop)
    worse = tuple(make.curve_run(seed=s, reading=past, evaluation_noise=noise) for s in range(seeds))
    return make.curves(**({"runs": (*worse, *(make.curve_run(seed=s) for s in range(seeds, 3)))} | changes))


STOP = {"early_stopping": {"patience": 5, "restore_best": True}}
HELPED = make.treatments(make.treatment(patch=STOP, transforms=(), before=(0.8, 0.81, 0.8), after=(0.9, 0.9, 0.91)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "best at a quarter of the run": ((SPEC, runs(0.08)), Severity.WARNING, Confidence.MEDIUM, "best epoch was 5"),
    "just above the noise is a hint": ((SPEC, runs(0.025)), Severity.INFO, Confidence.LOW, "best epoch was 5"),
    "stopping early is clearly better": ((SPEC, runs(0.08), HELPED), Severity.WARNING, Confidence.HIGH, "Tried"),
    "R², whose error is not known, is a hint": (
        (SPEC, runs(0.08, metric="r2", standard_error=None)),
        Severity.INFO,
        Confidence.LOW,
        "r2",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": ((SPEC, make.curves()), "passed"),
    "best in the second half": ((SPEC, runs(0.08, best=15.0)), "passed"),
    "a drop within the error of few rows": ((SPEC, runs(0.08, standard_error=0.05)), "passed"),
    "a drop within the noise of evaluation": ((SPEC, runs(0.08, noise=0.05)), "passed"),
    "one seed of three": ((SPEC, runs(0.08, seeds=1)), "passed"),
    "early stopping that keeps the best": ((make.spec(early_stopping={"patience": 5}), runs(0.08)), "not_applicable"),
    "a loss alone": ((SPEC, runs(0.08, metric="loss", standard_error=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
