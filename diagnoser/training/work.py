"""Do one piece of work, whatever the user's code does: its result, or the user's own error as a result."""

import time

from diagnoser.evidence.preflight import ProbeResult
from diagnoser.training import failures
from diagnoser.training.loop import run_trial
from diagnoser.training.probing import run_probe
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Probe, Trial, TrialResult


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
