"""How do the rows of a log become epochs? Frameworks write training and validation in rows of their own."""

import math
from collections.abc import Mapping
from itertools import pairwise
from statistics import fmean

from diagnoser.evidence.steps import CurveRun
from diagnoser.protocol import curve_reading
from diagnoser.protocol.curve_reading import Curve
from diagnoser.protocol.smoothing import finite, moving_average, thin
from diagnoser.records import Record
from diagnoser.trials import Outcome

POINTS_KEPT = 400  # as of our own runs (curves.py)
PIECES = 30  # a log of batches alone is cut into as many as our own runs have evaluations at most (curves.py)
FEWEST_BATCHES = 100  # rows without an epoch, a step or a validation figure: fewer are epochs, more are batches

Values = Mapping[str, tuple[float | None, ...]]
Groups = tuple[tuple[int, ...], ...]


class LoggedRun(Record):
    """A run made elsewhere, and what its metric is."""

    run: CurveRun
    metric: str
    higher_is_better: bool
    updates_per_epoch: int

    @property
    def ends(self) -> tuple[float | None, ...]:
        """The last validation metric, if there is one."""
        return self.run.validation_metric[-1:]


def run_of(values: Values, *, metric: str, higher_is_better: bool) -> LoggedRun:
    """Columns of numbers to a run. The one run that there is stands where our own loop's would."""
    count = len(next(iter(values.values())))
    groups = _thinned(_groups(values, count))
    losses = _batch_losses(values)
    per_epoch = len(losses) / len(groups)

    def last(meaning: str) -> tuple[float | None, ...]:
        return tuple(_last(values.get(meaning, ()), group) for group in groups)

    def mean(meaning: str) -> tuple[float | None, ...]:
        return tuple(_mean(values.get(meaning, ()), group) for group in groups)

    curve = Curve(
        batch_losses=losses,
        initial_loss=losses[0] if losses else None,
        batches_per_epoch=per_epoch if losses else None,
        epochs=_labels(values, groups),
        train_loss=mean("train_loss" if "train_loss" in values else "batch_loss"),
        train_metric=mean("train_metric"),
        validation_loss=last("validation_loss"),
        validation_metric=last("validation_metric"),
        higher_is_better=higher_is_better,
    )
    lrs = last("lr") if "lr" in values else ()
    run = CurveRun(
        seed=0,
        loop="ours",
        outcome=Outcome.COMPLETED if len(finite(losses)) == len(losses) else Outcome.DIVERGED,
        stopped_by="length",
        updates=len(losses) or count,
        initial_loss=curve.initial_loss,
        batch_losses=thin(losses, at_most=POINTS_KEPT),
        stride=max(1, math.ceil(len(losses) / POINTS_KEPT)),
        smoothed=thin(moving_average(losses), at_most=POINTS_KEPT),
        epochs=curve.epochs,
        lrs=tuple(math.nan if lr is None else lr for lr in lrs),
        train_loss=curve.train_loss,
        train_metric=curve.train_metric,
        validation_loss=curve.validation_loss,
        validation_metric=curve.validation_metric,
        reading=curve_reading.read(curve),
    )
    return LoggedRun(
        run=run, metric=metric, higher_is_better=higher_is_better, updates_per_epoch=max(1, round(per_epoch))
    )


def _batch_losses(values: Values) -> tuple[float, ...]:
    """The finest series of the training loss."""
    series = values.get("batch_loss") or values.get("train_loss", ())
    return tuple(value for value in series if value is not None)


def _groups(values: Values, count: int) -> Groups:
    """Rows that belong to one epoch: by the epoch's number, else up to each validation figure."""
    by_number = _by_number(values.get("epoch", ()))
    if by_number is not None:
        return by_number
    validated = values.get("validation_loss") or values.get("validation_metric") or ()
    ends = [row + 1 for row, value in enumerate(validated) if value is not None]
    if ends and len(ends) < count:
        return tuple(tuple(range(begin, end)) for begin, end in pairwise([0, *ends]))
    if not ends and (values.get("step") or count > FEWEST_BATCHES):
        return _pieces(tuple((row,) for row in range(count)), PIECES)
    return tuple((row,) for row in range(count))


def _by_number(epochs: tuple[float | None, ...]) -> Groups | None:
    """By whole epoch numbers, a row without one belonging to the epoch before; None when there are no such numbers."""
    numbers = {value for value in epochs if value is not None}
    if not numbers or any(not value.is_integer() for value in numbers) or (len(numbers) == 1 < len(epochs)):
        return None
    groups: dict[float, list[int]] = {}
    current = next(value for value in epochs if value is not None)
    for row, value in enumerate(epochs):
        current = current if value is None else value
        groups.setdefault(current, []).append(row)
    return tuple(tuple(rows) for rows in groups.values())


def _thinned(groups: Groups) -> Groups:
    return groups if len(groups) <= POINTS_KEPT else _pieces(groups, POINTS_KEPT)


def _pieces(groups: Groups, pieces: int) -> Groups:
    """Neighbours put together, so that at most that many are left."""
    size = math.ceil(len(groups) / pieces)
    parts = (groups[start : start + size] for start in range(0, len(groups), size))
    return tuple(tuple(row for group in part for row in group) for part in parts)


def _labels(values: Values, groups: Groups) -> tuple[float, ...]:
    """The epoch of each group, else its step, else its place."""
    named = values.get("epoch") or values.get("step") or ()
    labels = [_last(named, group) for group in groups]
    return tuple(float(place) if label is None else label for place, label in enumerate(labels, 1))


def _last(series: tuple[float | None, ...], group: tuple[int, ...]) -> float | None:
    return next((series[row] for row in reversed(group) if row < len(series) and series[row] is not None), None)


def _mean(series: tuple[float | None, ...], group: tuple[int, ...]) -> float | None:
    there = [value for row in group if row < len(series) and (value := series[row]) is not None]
    return fmean(there) if there else None
