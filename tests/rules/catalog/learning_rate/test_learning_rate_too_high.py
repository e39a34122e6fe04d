"""Is the learning rate too high?"""

from math import inf

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.learning_rate.learning_rate_too_high import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(optimizer={"lr": 0.3})


def point(
    lr: float, *, initial: float = 2.3, lowest: float = 0.3, final: float = 0.3, diverged: bool = False
) -> Record:
    ended = Outcome.DIVERGED if diverged else Outcome.COMPLETED
    return make.scan_point(
        lr, initial=(initial,) * 3, lowest=lowest, final=(inf if diverged else final,) * 3, outcomes=(ended,) * 3
    )


def scan(own: Record, **changes: object) -> Record:
    points = (point(1e-3, final=0.8), point(1e-2, final=0.2), own, point(1.0, diverged=True))
    return make.lr_scan(**({"points": points, "user_lr": 0.3, "proposal": 1e-2, "diverges_from": 0.3} | changes))


LOST = scan(point(0.3, diverged=True))
RISES = scan(point(0.3, lowest=2.2, final=9.0))
STAYS = scan(point(0.3, lowest=1.9, final=2.0), diverges_from=1.0)
TWICE_NOTHING = scan(point(0.3, lowest=0.001, final=0.01), proposal=0.3, diverges_from=1.0)
ONE_SEED = scan(
    make.scan_point(0.3, lowest=0.3, outcomes=(Outcome.DIVERGED, Outcome.COMPLETED, Outcome.COMPLETED)), proposal=0.1
)
SMALL_SET = make.overfit(
    user_lr=0.3,
    attempts=(*(make.stuck_attempt(lr=0.3, seed=s) for s in range(3)), make.small_set_attempt(lr=0.1)),
)
FALLING = make.overfit(
    user_lr=0.3,
    attempts=(
        *(make.stuck_attempt(lr=0.3, seed=s, still_falling=True) for s in range(3)),
        make.small_set_attempt(lr=0.1),
    ),
)
LOWER = make.treatments(make.treatment(patch={"optimizer.lr": 0.01}, transforms=()))
NO_BETTER = make.treatments(
    make.treatment(patch={"optimizer.lr": 0.01}, transforms=(), before=(0.9, 0.9, 0.9), after=(0.8, 0.8, 0.8))
)
ALIVE = make.model_profile()
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "lost in the scan": ((SPEC, LOST), Severity.ERROR, Confidence.MEDIUM, "is lost in 3 of 3 seeds"),
    "above its start in the scan": ((SPEC, RISES), Severity.ERROR, Confidence.MEDIUM, "rises above its start"),
    "the small set needs a third": ((SPEC, STAYS, SMALL_SET), Severity.ERROR, Confidence.MEDIUM, "is learned at 0.1"),
    "both": ((SPEC, LOST, SMALL_SET), Severity.ERROR, Confidence.HIGH, "too high"),
    "both are controls, without a scan one is left": (
        (SPEC, SMALL_SET),
        Severity.ERROR,
        Confidence.MEDIUM,
        "3 of 3 seeds",
    ),
    "a lower rate is clearly better": ((SPEC, STAYS, LOWER), Severity.WARNING, Confidence.HIGH, "Tried"),
    "the run still learns": ((SPEC, LOST, make.curves()), Severity.INFO, Confidence.LOW, "is high"),
    "the run still learns, worse than with a lower rate": (
        (SPEC, LOST, make.curves(), LOWER),
        Severity.WARNING,
        Confidence.HIGH,
        "too high",
    ),
    "the scan finds another rate best": ((SPEC, STAYS), Severity.INFO, Confidence.LOW, "30 times below yours"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": (
        (make.spec(), make.lr_scan(), make.overfit(), make.coarse_search(), make.fine_search()),
        "passed",
    ),
    "noise close to zero": ((SPEC, TWICE_NOTHING), "passed"),
    "a small set that was still falling": (
        (make.spec(), make.lr_scan(user_lr=0.003), make.overfit(user_lr=0.003, attempts=FALLING.attempts)),
        "passed",
    ),
    "a lower rate that is no better": ((SPEC, STAYS, NO_BETTER), "passed"),
    "nothing measured": ((SPEC,), "unjudged"),
}


def test_dead_units_are_explained_only_when_they_were_alive_at_the_start() -> None:
    dead = make.model_profile(layers=(make.layer_profile(dead_share=1.0),))
    assert "dead-relu-units" in fired(check, SPEC, LOST, ALIVE).explains
    assert "dead-relu-units" not in fired(check, SPEC, LOST, dead).explains


def test_one_seed_that_is_lost_is_no_error() -> None:
    assert fired(check, SPEC, ONE_SEED).severity is Severity.INFO


def test_the_search_proposes_before_the_scan() -> None:
    search = make.coarse_search(trials=(make.search_trial(values={"optimizer.lr": 0.005}),), best=0)
    assert fired(check, SPEC, LOST, search).fixes[0].patch == {"optimizer.lr": 0.005}
    assert fired(check, SPEC, LOST).fixes[0].patch == {"optimizer.lr": 0.01}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
