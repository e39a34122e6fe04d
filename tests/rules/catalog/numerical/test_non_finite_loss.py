"""Does the loss become NaN or infinite?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.numerical.non_finite_loss import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

NAN = float("nan")


def runs(broken: int, *, loop: str = "ours") -> Curves:
    """Three runs, so many of which end in NaN from record 10 on."""
    losses = make.curve_run().batch_losses
    lost = {
        "outcome": Outcome.DIVERGED,
        "batch_losses": (*losses[:10], NAN),
        "first_non_finite": "output of layer net.2",
    }
    return make.curves(
        runs=tuple(make.curve_run(seed=seed, loop=loop, **(lost if seed < broken else {})) for seed in range(3))
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "before any update": (
        (make.initial_loss(observed=(NAN,) * 5, first_non_finite="inputs"),),
        Severity.ERROR,
        Confidence.HIGH,
        "inputs",
    ),
    "in training": ((make.initial_loss(), runs(3)), Severity.ERROR, Confidence.HIGH, "from update 40"),
    "in one seed of three": ((runs(1),), Severity.WARNING, Confidence.MEDIUM, "1 of 3"),
    "in the user's loop": ((runs(3, loop="user"),), Severity.ERROR, Confidence.HIGH, "in your own loop"),
    "on the small set, where nothing else was run": (
        (
            make.overfit(
                attempts=tuple(
                    make.stuck_attempt(seed=s, outcome=Outcome.DIVERGED, losses=(2.3, NAN)) for s in range(3)
                )
            ),
        ),
        Severity.ERROR,
        Confidence.HIGH,
        "small set",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "finite": ((make.initial_loss(), make.overfit(), make.curves(), make.model_profile()), "passed"),
    "diverged, but finite: that rule's business": (
        (make.curves(runs=(make.curve_run(outcome=Outcome.DIVERGED),)),),
        "passed",
    ),
    "nothing was run": ((make.model_profile(),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
