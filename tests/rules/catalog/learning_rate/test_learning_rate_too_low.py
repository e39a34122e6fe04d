"""Is the learning rate too low?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.learning_rate.learning_rate_too_low import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(optimizer={"lr": 1e-5})


def scan(*, own: float = 2.29, best: float = 0.2, **changes: object) -> Record:
    points = (
        make.scan_point(1e-5, lowest=own),
        make.scan_point(1e-4, lowest=1.4),
        make.scan_point(1e-3, lowest=best),
        make.scan_point(1e-2, lowest=0.6),
    )
    return make.lr_scan(**({"points": points, "user_lr": 1e-5, "proposal": 1e-3, "diverges_from": 0.1} | changes))


def small_set(*, at: float, falling: bool = True) -> Record:
    own = (make.stuck_attempt(lr=1e-5, seed=s, still_falling=falling, stopped_by="length") for s in range(3))
    return make.overfit(user_lr=1e-5, attempts=(*own, make.small_set_attempt(lr=at)))


HIGHER = make.treatments(
    make.treatment(patch={"optimizer.lr": 1e-3}, transforms=(), before=(0.2, 0.21, 0.2), after=(0.78, 0.8, 0.79))
)
NO_BETTER = make.treatments(
    make.treatment(patch={"optimizer.lr": 1e-3}, transforms=(), before=(0.8,) * 3, after=(0.7,) * 3)
)
LITTLE = make.treatments(
    make.treatment(patch={"optimizer.lr": 1e-3}, transforms=(), before=(0.8,) * 3, after=(0.81,) * 3)
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "slow in the scan is a hint": ((SPEC, scan()), Severity.INFO, Confidence.LOW, "by 91% at 0.001"),
    "slow on the small set is a hint": (
        (SPEC, small_set(at=1e-4)),
        Severity.INFO,
        Confidence.LOW,
        "is learned in 120 at 0.0001",
    ),
    "slow in both, and the loss stands still": (
        (SPEC, scan(), small_set(at=1e-4)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "too low",
    ),
    "a higher rate is clearly better": ((SPEC, scan(), HIGHER), Severity.WARNING, Confidence.HIGH, "Tried"),
    "slow, and a gain too small to matter": ((SPEC, scan(), LITTLE), Severity.INFO, Confidence.LOW, "low"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": (
        (make.spec(), make.lr_scan(), make.overfit(), make.coarse_search(), make.fine_search()),
        "passed",
    ),
    "short scans flatter high rates": ((SPEC, scan(own=0.9)), "passed"),
    "three times as much is enough": ((SPEC, small_set(at=3e-5)), "passed"),
    "a higher rate that is no better": ((SPEC, scan(), NO_BETTER), "passed"),
    "nothing measured": ((SPEC,), "unjudged"),
}


def test_next_to_divergence_a_safe_rate_is_tried_first() -> None:
    edge = fired(check, SPEC, scan(diverges_from=3e-3))
    assert [fix.patch for fix in edge.fixes] == [{"optimizer.lr": 3e-4}, {"optimizer.lr": 1e-3}]
    assert [fix.patch for fix in fired(check, SPEC, scan()).fixes] == [{"optimizer.lr": 1e-3}]


def test_a_slow_run_explains_its_symptoms_once_it_is_sure() -> None:
    assert fired(check, SPEC, scan()).explains == ()
    assert "underfitting" in fired(check, SPEC, scan(), small_set(at=1e-4)).explains


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
