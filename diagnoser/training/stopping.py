"""Has a run exploded, or come to stand still? Judged from its batch losses alone."""

from collections.abc import Sequence

DIVERGED = 10.0  # times the loss at the start: a run that comes back from 3x is not rare, one from 10x was not seen
_SMOOTHED_OVER = 20  # batches
STALL_LOOK_EVERY = 50  # updates
STALL_LOOKS = 3  # in a row (CATALOGUE, "small set": < 1 % in 100 updates)
_STALL_FALL = 0.01


def diverged(losses: Sequence[float], *, initial: float | None) -> bool:
    """Tell whether the mean of the last batches is far above the start of the run."""
    if len(losses) < _SMOOTHED_OVER:
        return False
    start = max(abs(initial or 0.0), abs(sum(losses[:_SMOOTHED_OVER]) / _SMOOTHED_OVER))
    return sum(losses[-_SMOOTHED_OVER:]) / _SMOOTHED_OVER > DIVERGED * start


def stands_still(losses: Sequence[float], *, batches: int, floor: float) -> bool:
    """Compare the mean loss of the last 50 updates with that of 50 updates a hundred before.

    The fall is relative to what was left above the floor then, not to the initial loss: a run that still halves a
    small loss does not stand still. `batches`: of one update.
    """
    look = STALL_LOOK_EVERY * batches
    if len(losses) < 3 * look:
        return False
    now, then = sum(losses[-look:]) / look, sum(losses[-3 * look : -2 * look]) / look
    return then - now < _STALL_FALL * abs(then - floor)
