"""The executor of a notebook: live objects of the caller, in the caller's own process, one unit of work at a time.

Covers: random states, default dtype and device, threads, gradient mode are the caller's own again after each call.
Does not cover: user code that ends the process, never returns, or takes all memory: nobody watches. The deadline is
looked at between two units (trials of one kind are one). Nothing is kept for the next time: objects have no hash.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

import torch

from diagnoser.evidence.evidence import Environment, StackedTrials
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.messages import MOST_TRIALS
from diagnoser.training.environment import describe
from diagnoser.training.randomness import restored
from diagnoser.training.work import not_in_time, perform_all
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe, Trial, TrialResult, kind_of


class InProcessExecutor:
    """Runs work on a workload that is already there."""

    def __init__(self, workload: Workload, *, stacking: bool = True) -> None:
        self._workload = workload
        self._stacking = stacking
        self._run = 0
        self._stacks: Counter[tuple[int, str]] = Counter()

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

    @property
    def stacks(self) -> tuple[StackedTrials, ...]:
        """How many trials were trained how many at once, and why; the most first."""
        return tuple(
            StackedTrials(trials=count, at_once=at_once, because=because)
            for (at_once, because), count in self._stacks.most_common()
        )

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
        """Run everything, unit after unit; one that has not begun by `deadline` comes back as `timed_out`."""
        results: dict[int, TrialResult | ProbeResult] = {}

        def tell(index: int, result: TrialResult | ProbeResult) -> None:
            results[index] = result
            on_result(index, result)

        for unit in self._units(work):
            if time.monotonic() < deadline:
                self._perform(unit, work, tell=tell)
            else:
                for index in unit:
                    tell(index, not_in_time(work[index]))
        return tuple(results[index] for index in range(len(work)))

    def close(self) -> None:
        """Leave everything to its owner."""

    def _units(self, work: Sequence[Trial | Probe]) -> list[list[int]]:
        """Put the trials together that may be trained together."""
        kinds: dict[str, list[int]] = {}
        for index, piece in enumerate(work):
            if isinstance(piece, Probe) or piece.loop == "user" or not self._stacking:
                kind = str(index)
            else:
                kind = kind_of(piece).model_dump_json()
            kinds.setdefault(kind, []).append(index)
        return [
            indices[start : start + MOST_TRIALS]
            for indices in kinds.values()
            for start in range(0, len(indices), MOST_TRIALS)
        ]

    def _perform(
        self,
        unit: Sequence[int],
        work: Sequence[Trial | Probe],
        *,
        tell: Callable[[int, TrialResult | ProbeResult], None],
    ) -> None:
        def on_result(place: int, result: TrialResult | ProbeResult) -> None:
            self._run += 1
            tell(unit[place], result)

        with restored():
            stacks = perform_all(self._workload, [work[index] for index in unit], on_result=on_result)
        for one in stacks:
            self._stacks[one.at_once, one.because] += one.trials
