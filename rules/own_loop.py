"""What do the rules about the user's own `loop` share? When they can judge, what to try, what a fault explains."""

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Fix
from diagnoser.trials import Outcome, Transform
from rules import user_runs
from rules.rule import NotApplicable, Unjudged

REFERENCE = Fix(title="Train with the reference loop instead of yours", transforms=(Transform.OUR_LOOP,))
"""Can be tried; beside it stands the advice with the line to change."""
SYMPTOMS = ("loss-diverges", "loss-oscillates", "underfitting", "nothing-learned", "overfitting")
EFFECTS = ("own-loop-falls-behind", *SYMPTOMS)
CLEARLY = 2.0  # standard errors of the validation metric
MATTERS = 0.02  # of a share metric


def require_loop(loop: LoopAudit) -> None:
    """Raises NotApplicable without a loop of the user's, Unjudged when it raised before its first batch was done."""
    if not loop.has_loop:
        raise NotApplicable("the spec has no loop of your own; ours was used")
    if loop.error is not None and not loop.backwards:
        raise Unjudged(f"your loop raised {loop.error.kind}: {loop.error.message}")


def effects(curves: Curves | None) -> tuple[str, ...]:
    """What a fault of the loop explains: the run in the user's own loop was clearly worse than those in ours."""
    return EFFECTS if curves is not None and worse_than_ours(curves) else ()


def worse_than_ours(curves: Curves) -> bool:
    """Whether the run in the user's loop failed or ended clearly below our runs of the same configuration."""
    theirs = [run for run in curves.runs if run.loop == "user"]
    ours = [run for run in curves.runs if run.loop == "ours" and run.outcome is Outcome.COMPLETED]
    if not theirs or not ours:
        return False
    if any(run.outcome is Outcome.DIVERGED for run in theirs):
        return True
    end, usual = _end(theirs), _end(ours)
    if end is None or usual is None:
        return False
    sign = 1.0 if curves.higher_is_better else -1.0
    least = MATTERS if user_runs.is_share(curves) else MATTERS * abs(usual)
    return sign * (usual - end) > max(least, CLEARLY * (curves.standard_error or 0.0))


def _end(runs: list[CurveRun]) -> float | None:
    return user_runs.middle(user_runs.last(run.validation_metric) for run in runs)
