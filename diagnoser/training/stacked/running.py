"""Which trials are trained together, and which one after the other? Runs all of them, and says why."""

from collections.abc import Callable, Sequence

from diagnoser.evidence.evidence import StackedTrials
from diagnoser.training.loop import run_trial
from diagnoser.training.workload import Workload
from diagnoser.trials import Trial, TrialResult


def run_trials(
    workload: Workload,
    trials: Sequence[Trial],
    *,
    on_result: Callable[[int, TrialResult], None],
    largest: int | None = None,
) -> tuple[StackedTrials, ...]:
    """Run every trial; `on_result` gets each index and result as it ends, not always in order.

    `largest` bounds the stack; 1 forbids stacking. What the user's code does wrong is a result; what ours does
    propagates.
    """
    for index, trial in enumerate(trials):
        on_result(index, run_trial(workload, trial))
    return (StackedTrials(trials=len(trials), at_once=1, because="stacking is not written yet"),)
