"""Is the small set learned without regularisation, and not with the user's? A control of step 2."""

from diagnoser.evidence.steps import Overfit, SmallSetAttempt
from diagnoser.records import is_finite
from diagnoser.trials import Outcome
from rules import rates

HALF_WAY = 0.5  # from the initial loss to the floor: what dropout's noise leaves is no failure


def blocks(overfit: Overfit) -> str | None:
    """A sentence when most plain attempts at the user's lr succeed and the regularised one stays on a high loss.

    Does not tell weight decay from dropout, augmentation or label smoothing: the attempt has all that the spec has.
    """
    plain = [a for a in rates.plain_attempts(overfit) if rates.same(a.lr, overfit.user_lr)]
    held = [a for a in overfit.attempts if a.regularised and a.control == "none" and rates.same(a.lr, overfit.user_lr)]
    learned = [a for a in plain if a.memorised]
    if not held or len(learned) <= len(plain) / 2:
        return None
    stuck = [a for a in held if _stuck(a, floor=overfit.floor)]
    if len(stuck) < len(held):
        return None
    end = stuck[0].final_loss
    shown = f"{end:.3g}" if end is not None else "nowhere"
    return (
        f"The small set is memorised without regularisation ({len(learned)} of {len(plain)} seeds); with yours "
        f"its loss stays at {shown}."
    )


def _stuck(attempt: SmallSetAttempt, *, floor: float) -> bool:
    """Stalled or diverged, less than half-way to the floor."""
    if not rates.failed(attempt) or attempt.stopped_by == "time":
        return False
    start, end = attempt.initial_loss, attempt.final_loss
    if attempt.outcome is Outcome.DIVERGED or start is None or not is_finite(end) or end is None:
        return attempt.outcome is Outcome.DIVERGED
    return start > floor and (start - end) / (start - floor) < HALF_WAY
