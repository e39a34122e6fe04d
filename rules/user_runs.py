"""What do the runs of step 6 say together? Our loop's runs of the user's configuration, over their seeds."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.trials import Outcome
from rules.rule import Unjudged

ENOUGH_SEEDS = 2
"""What depends on the seed must appear in at least 2 of 3 (CATALOGUE, second law)."""


def ours(curves: Curves) -> tuple[CurveRun, ...]:
    """The runs in our loop. Raises Unjudged when there is none."""
    runs = tuple(run for run in curves.runs if run.loop == "ours")
    if not runs:
        raise Unjudged("there is no run of your configuration in our loop")
    return runs


def whole(curves: Curves) -> tuple[CurveRun, ...]:
    """Our runs that trained to their end. Raises Unjudged when all were cut short, failed or diverged."""
    runs = tuple(
        run
        for run in ours(curves)
        if run.outcome is Outcome.COMPLETED
        and (run.updates >= curves.planned_updates or run.stopped_by == "early_stopping")
    )
    if not runs:
        raise Unjudged("no run of your configuration came to its end")
    return runs


def enough(flags: Iterable[bool]) -> bool:
    """Whether it holds in at least two seeds, and in more than half of them.

    Raises Unjudged when it was seen in the only run there is: one seed proves nothing, and is no pass either.
    """
    seen = tuple(flags)
    if seen == (True,):
        raise Unjudged("it was seen in the only run there is; what depends on the seed must appear in two")
    return in_most(seen)


def in_most(flags: Iterable[bool]) -> bool:
    """The same for rules that have other evidence to fall back on."""
    seen = tuple(flags)
    return sum(seen) >= ENOUGH_SEEDS and sum(seen) > len(seen) / 2


def middle(values: Iterable[float | None]) -> float | None:
    """Median of the finite values; None when there is none."""
    kept = [v for v in values if v is not None and math.isfinite(v)]
    return median(kept) if kept else None


def last(values: Sequence[float | None]) -> float | None:
    """The last finite value; None when there is none."""
    return next((v for v in reversed(values) if v is not None and math.isfinite(v)), None)


def is_share(curves: Curves) -> bool:
    """Whether the metric's best value is 1, so that percentage points mean something."""
    return curves.metric in {"accuracy", "balanced_accuracy", "f1", "r2"}


def classed(runs: Iterable[CurveRun], *names: str) -> bool:
    """Whether the curves have one of these shapes in enough seeds."""
    return enough(run.reading is not None and bool(set(names) & set(run.reading.classes)) for run in runs)


def at_ceiling(runs: Iterable[CurveRun], *, ceiling: float = 0.99) -> bool:
    """Whether the training metric has no room left."""
    end = middle(last(run.train_metric) for run in runs)
    return end is not None and end >= ceiling
