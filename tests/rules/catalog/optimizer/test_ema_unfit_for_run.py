"""Does the moving average of the weights forget its start before the run ends?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.optimizer.ema_unfit_for_run import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def spec(decay: float, every: int = 1) -> Record:
    return make.spec(ema={"decay": decay, "update_every": every})


RUN = make.assumptions(total_updates=1000)
FIXED = make.treatments(make.treatment(patch={"ema.decay": 0.92}, transforms=()))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "an average longer than the run": ((spec(0.995, 16), RUN), Severity.WARNING, Confidence.HIGH, "73%"),
    "a few percent of the start": ((spec(0.997), RUN), Severity.WARNING, Confidence.MEDIUM, "5.0%"),
    "a shorter average is clearly better": ((spec(0.995, 16), RUN, FIXED), Severity.WARNING, Confidence.HIGH, "Tried"),
    "an average over five updates": ((spec(0.8), RUN), Severity.INFO, Confidence.HIGH, "5 updates only"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "an average that fits": ((spec(0.99), RUN), "passed"),
    "no average": ((make.spec(), RUN), "not_applicable"),
}


@pytest.mark.parametrize("updates", [50, 1000, 100_000])
def test_the_decay_that_is_proposed_fits(updates: int) -> None:
    run = make.assumptions(total_updates=updates)
    decay = fired(check, spec(0.9999999, 4), run).fixes[0].patch["ema.decay"]
    assert isinstance(decay, float)
    assert silent(check, spec(decay, 4), run) == "passed"


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
