"""Do a probe, or trials that may be trained together, whatever the user's code does: its error is a result too."""

import time
from collections.abc import Callable, Sequence

from diagnoser.evidence.evidence import StackedTrials
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.training import failures
from diagnoser.training.loop import run_trial
from diagnoser.training.probing import run_probe
from diagnoser.training.stacked.running import run_trials
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Probe, Trial, TrialResult

OnResult = Callable[[int, TrialResult | ProbeResult], None]


def perform_all(
    workload: Workload, work: Sequence[Trial | Probe], *, on_result: OnResult, largest: int | None = None
) -> tuple[StackedTrials, ...]:
    """Do all of it and tell each result as it is there; `largest` bounds the stacks of the trials.

    Raises only what is our own failure, what `on_result` raises, and the person's Ctrl-C.
    """
    trials = {index: piece for index, piece in enumerate(work) if isinstance(piece, Trial)}
    for index, piece in enumerate(work):
        if isinstance(piece, Probe):
            on_result(index, perform(workload, piece))
    return _train(workload, trials, on_result=on_result, largest=largest) if trials else ()


def _train(
    workload: Workload, left: dict[int, Trial], *, on_result: OnResult, largest: int | None
) -> tuple[StackedTrials, ...]:
    indices = tuple(left)
    telling = False

    def tell(place: int, result: TrialResult) -> None:
        nonlocal telling
        telling = True
        del left[indices[place]]
        on_result(indices[place], result)
        telling = False

    try:
        return run_trials(workload, tuple(left.values()), on_result=tell, largest=largest)
    except failures.USER_STOPS as error:
        if telling or failures.is_ours(error):
            raise
        because = f"{type(error).__name__} was raised while they were trained together"
    for index, trial in tuple(left.items()):  # so that it is told of the trial that raises it
        on_result(index, perform(workload, trial))
    return (StackedTrials(trials=len(left), at_once=1, because=because),)


def perform(workload: Workload, work: Trial | Probe) -> TrialResult | ProbeResult:
    """Run a trial or a probe; raises only what is our own failure, and the person's Ctrl-C."""
    start = time.perf_counter()
    try:
        return run_trial(workload, work) if isinstance(work, Trial) else run_probe(workload, work)
    except failures.USER_STOPS as error:
        if failures.is_ours(error):
            raise
        return failed(work, error, seconds=time.perf_counter() - start)


def failed(work: Trial | Probe, error: BaseException, *, seconds: float) -> TrialResult | ProbeResult:
    """Tell what the user's code raised."""
    outcome, told = failures.outcome_of(error), failures.user_error(error)
    if isinstance(work, Probe):
        return ProbeResult(outcome=outcome, error=told, seconds=seconds)
    return TrialResult(outcome=outcome, error=told, stopped_by="error", seconds=seconds)


def not_in_time(work: Trial | Probe) -> TrialResult | ProbeResult:
    """Tell that the time was up before the work began."""
    if isinstance(work, Probe):
        return ProbeResult(outcome=Outcome.TIMED_OUT)
    return TrialResult(outcome=Outcome.TIMED_OUT, stopped_by="time")
