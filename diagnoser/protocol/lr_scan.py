"""Step 3: at which learning rates does the loss fall, and where does it diverge?"""

import math
from statistics import fmean, median
from typing import Literal

from diagnoser.evidence.steps import LrScan, ScanPoint, Steps
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.smoothing import finite, middle, moving_average, tail_mean, thin
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Trial, TrialResult

WEIGHT_DECAY = 1e-4  # CS231n step 3: "small weight decay"
LOWEST, HIGHEST = 1e-5, 1e-1  # DESIGN 6.3
PER_DECADE = 2
FEWEST_POINTS = 5  # one a decade, when the budget is short
REACH = (1e-8, 1e2)  # the scan is never extended beyond these
ENOUGH_UPDATES = 100  # DESIGN 6.3: at least 100 updates
MOST_UPDATES = 400
FEWEST_UPDATES = 5
FALLS = 0.05  # of the initial loss
DIVERGES = 2.0  # times the curve's own minimum
SAME = 1e-6  # relative: a loss that no lr changes has no best one
POINTS_KEPT = 60
SEEDS_AT_ENDS = 2  # further seeds at the user's lr and at the proposal


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """A grid and the user's lr; beyond an edge that holds the lowest loss; then more seeds where it matters."""
    user = known.user_lr(so_far)
    if not done:
        wanted = min(MOST_UPDATES, max(ENOUGH_UPDATES, known.assumptions(so_far).updates_per_epoch))
        grid = [_round(10 ** (e / PER_DECADE)) for e in range(-5 * PER_DECADE, -1 * PER_DECADE + 1)]
        if allowance.trials(updates=ENOUGH_UPDATES, at_most=len(grid) + 1) <= len(grid):
            grid = grid[::PER_DECADE]
        rates = sorted({*grid, user})
        updates = allowance.updates(trials=len(rates) + 6, at_most=wanted, at_least=FEWEST_UPDATES)
        return _trials(rates, (spec.seed,), updates, allowance)
    updates = max(trial.updates or 0 for trial, _ in done)
    tried = {_lr(trial) for trial, _ in done}
    beyond = _beyond(done, tried)
    if beyond:
        return _trials(beyond, (spec.seed,), updates, allowance)
    proposal = _proposal(done)
    ends = {user, proposal} if proposal is not None else {user}
    lacking = sorted(rate for rate in ends if sum(_lr(trial) == rate for trial, _ in done) == 1)
    if not lacking:
        return ()
    further = tuple(spec.seed + n for n in range(1, SEEDS_AT_ENDS + 1))
    return _trials(lacking, further, updates, allowance)


def read(spec: TrainingSpec, so_far: Steps, done: Done) -> LrScan:
    """The scan by lr, its proposal, and where it starts to fall and to diverge."""
    rates = sorted({_lr(trial) for trial, _ in done})
    points = tuple(_point(rate, [r for t, r in done if _lr(t) == rate]) for rate in rates)
    proposal = _proposal(done)
    return LrScan(
        points=points,
        updates=max(result.updates for _, result in done),
        user_lr=known.user_lr(so_far),
        proposal=proposal,
        falls_from=next((point.lr for point in points if _falls(point)), None),
        diverges_from=next((p.lr for p in points if p.lr > (proposal or 0) and _diverges(p)), None),
        extended=_extended(rates, known.user_lr(so_far)),
        weight_decay=WEIGHT_DECAY,
    )


def _extended(rates: list[float], user: float) -> tuple[Literal["below", "above"], ...]:
    """The sides on which the scan went beyond its grid; the user's own lr is no extension."""
    planned = [rate for rate in rates if rate != user]
    below: tuple[Literal["below", "above"], ...] = ("below",) if planned[0] < LOWEST * 0.99 else ()
    return (*below, "above") if planned[-1] > HIGHEST * 1.01 else below


def _lr(trial: Trial) -> float:
    return float(str(trial.changes["optimizer.lr"]))


def _round(rate: float) -> float:
    return float(f"{rate:.3g}")


def _trials(rates: list[float], seeds: tuple[int, ...], updates: int, allowance: Allowance) -> tuple[Trial, ...]:
    changes = [{"optimizer.lr": rate, "optimizer.weight_decay": WEIGHT_DECAY} for rate in rates]
    limit = allowance.limit(trials=len(rates) * len(seeds))
    return tuple(
        Trial(seed=seed, changes=dict(change), updates=updates, evaluations=1, max_seconds=limit)
        for seed in seeds
        for change in changes
    )


def _beyond(done: Done, tried: set[float]) -> list[float]:
    """Two more lrs, a factor of 3 apart, beyond an edge at which the loss is lowest, be it by ever so little."""
    ends = {_lr(trial): _final(result) for trial, result in done}
    usable = sorted(end for end in ends.values() if math.isfinite(end))
    if not usable or usable[-1] - usable[0] <= SAME * abs(usable[0]):
        return []
    best = min(ends, key=ends.__getitem__)
    lowest, highest = min(tried), max(tried)
    if best == lowest and lowest > REACH[0]:
        return [_round(lowest / 10), _round(lowest / 10**0.5)]
    if best == highest and highest < REACH[1]:
        return [_round(highest * 10**0.5), _round(highest * 10)]
    return []


def _final(result: TrialResult) -> float:
    """The smoothed loss at the end, comparable between lrs; infinite when there is none."""
    end = tail_mean(result.losses)
    if result.outcome is not Outcome.COMPLETED or end is None or not math.isfinite(end):
        return math.inf
    return end


def _proposal(done: Done) -> float | None:
    """The lr with the lowest smoothed loss among those at which the loss fell at all."""
    by_lr: dict[float, list[float]] = {}
    for trial, result in done:
        start = result.initial_loss if result.initial_loss is not None else next(iter(result.losses), math.nan)
        if _final(result) < start - FALLS * abs(start):
            by_lr.setdefault(_lr(trial), []).append(_final(result))
    return min(by_lr, key=lambda rate: fmean(by_lr[rate])) if by_lr else None


def _point(rate: float, results: list[TrialResult]) -> ScanPoint:
    smoothed = [moving_average(result.losses) for result in results]
    ends = [r.evaluations[-1] if r.evaluations else None for r in results]
    return ScanPoint(
        lr=rate,
        outcomes=tuple(result.outcome for result in results),
        initial=tuple(_or_nan(r.initial_loss) for r in results),
        lowest=tuple(min(finite(curve), default=math.nan) for curve in smoothed),
        final=tuple(_or_nan(tail_mean(result.losses)) for result in results),
        validation_loss=tuple(_or_nan(end.validation_loss if end else None) for end in ends),
        validation_metric=tuple(_or_nan(end.validation_metric if end else None) for end in ends),
        curves=tuple(thin(curve, at_most=POINTS_KEPT) for curve in smoothed),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _falls(point: ScanPoint) -> bool:
    start, end = middle(point.initial), middle(point.final)
    return start is not None and end is not None and end < start - FALLS * abs(start)


def _diverges(point: ScanPoint) -> bool:
    """Whether most seeds at this lr went non-finite or ended above twice their own minimum."""
    bad = [
        outcome is Outcome.DIVERGED or not math.isfinite(end) or end > DIVERGES * max(low, 1e-12)
        for outcome, low, end in zip(point.outcomes, point.lowest, point.final, strict=True)
    ]
    return median(bad) > 0.5 if bad else False
