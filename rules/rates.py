"""Which learning rate do the experiments propose? What the search found, else the scan."""

import math
from typing import NamedTuple

from diagnoser.evidence.steps import CoarseSearch, FineSearch, LrScan, Overfit, ScanPoint, Search, SmallSetAttempt
from diagnoser.trials import Outcome

NEAR = 1.02
"""Two learning rates within 2 % are one: grids are rounded."""


class Rate(NamedTuple):
    """A learning rate and who proposes it."""

    lr: float
    source: str
    pointer: str  # where it stands in the evidence


def rounded(lr: float) -> float:
    """One digit: 0.00316 is 0.003. Nobody can tell them apart, and a spec reads better."""
    return float(f"{lr:.1g}")


def searched(coarse: CoarseSearch | None, fine: FineSearch | None) -> Rate | None:
    """The winner of the fine search, else of the coarse one."""
    for search, words, step in ((fine, "fine search", "fine_search"), (coarse, "coarse search", "coarse_search")):
        found = _winner(search)
        if found is not None:
            return Rate(found, f"the {words}", f"/steps/{step}/value/best")
    return None


def scanned(scan: LrScan | None) -> Rate | None:
    """The proposal of the scan."""
    if scan is None or scan.proposal is None:
        return None
    return Rate(scan.proposal, "the scan", "/steps/lr_scan/value/proposal")


def _winner(search: Search | None) -> float | None:
    if search is None or search.best is None:
        return None
    value = search.trials[search.best].values.get("optimizer.lr")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def point(scan: LrScan | None, lr: float) -> ScanPoint | None:
    """The point of the scan at this lr."""
    points = scan.points if scan is not None else ()
    return next((p for p in points if same(p.lr, lr)), None)


def same(one: float, other: float) -> bool:
    """Whether two learning rates are one, rounding aside."""
    return max(one, other) <= NEAR * min(one, other)


def plain_attempts(overfit: Overfit | None) -> tuple[SmallSetAttempt, ...]:
    """Attempts on the small set as it is: no control, no regularisation."""
    attempts = overfit.attempts if overfit is not None else ()
    return tuple(attempt for attempt in attempts if attempt.control == "none" and not attempt.regularised)


def failed(attempt: SmallSetAttempt) -> bool:
    """Whether the small set was given every chance and not learned; a loss still on its way down proves nothing."""
    return (
        not attempt.memorised and not attempt.still_falling and attempt.outcome in {Outcome.COMPLETED, Outcome.DIVERGED}
    )


def fall(scan_point: ScanPoint | None) -> float | None:
    """By how much the loss fell, as a share of its start: median over seeds; None when it is not known."""
    if scan_point is None:
        return None
    shares = sorted(
        (start - end) / abs(start) if math.isfinite(end) else -math.inf
        for start, end in zip(scan_point.initial, scan_point.final, strict=True)
        if math.isfinite(start) and start != 0
    )
    return shares[(len(shares) - 1) // 2] if shares else None
