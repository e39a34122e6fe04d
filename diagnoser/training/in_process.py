"""The executor of a notebook: live objects of the caller, in the caller's own process, one piece of work at a time.

Covers: random states, default dtype and device, threads, gradient mode are the caller's own again after each call.
Does not cover: user code that ends the process, never returns, or takes all memory: nobody watches. The deadline is
looked at between two pieces of work. Nothing is kept for the next time: objects have no hash.
"""

import sys
import time
from collections.abc import Callable, Sequence

import torch

from diagnoser.evidence.evidence import Environment
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.training.environment import describe
from diagnoser.training.randomness import restored
from diagnoser.training.work import not_in_time, perform
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe, Trial, TrialResult


class InProcessExecutor:
    """Runs work on a workload that is already there."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._run = 0

    @property
    def processes(self) -> int:
        """One: the caller's."""
        return 1

    @property
    def threads_per_process(self) -> int:
        """As many as the caller has."""
        return torch.get_num_threads()

    @property
    def trials_run(self) -> int:
        """Pieces of work really run so far."""
        return self._run

    @property
    def trials_from_cache(self) -> int:
        """None are kept."""
        return 0

    def open(self) -> Environment:
        """Describe what the work runs on."""
        ours = {name for name in sys.modules if name.partition(".")[0] == "diagnoser"}
        return describe(self._workload, ours=ours)

    def run(
        self,
        work: Sequence[Trial | Probe],
        *,
        deadline: float,
        on_result: Callable[[int, TrialResult | ProbeResult], None],
    ) -> tuple[TrialResult | ProbeResult, ...]:
        """Run everything in order; what has not begun by `deadline` comes back as `timed_out`."""
        results = []
        for index, piece in enumerate(work):
            if time.monotonic() < deadline:
                with restored():
                    result = perform(self._workload, piece)
                self._run += 1
            else:
                result = not_in_time(piece)
            results.append(result)
            on_result(index, result)
        return tuple(results)

    def close(self) -> None:
        """Leave everything to its owner."""
