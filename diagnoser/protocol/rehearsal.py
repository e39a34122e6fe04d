"""What would a diagnosis run, and how long would it take? A session is walked by an executor that only counts.

Nothing is trained: every trial gets the result that is to be expected, and the clock is put forward by what it would
cost. So the plan is made by the very steps that will make it, within the same shares of the budget.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from diagnoser.evidence.evidence import Environment, StackedTrials
from diagnoser.evidence.preflight import Assumptions
from diagnoser.messages import Result, Work
from diagnoser.protocol.executor import OnResult
from diagnoser.protocol.expectation import Course, expected
from diagnoser.protocol.prices import Prices
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Trial, TrialResult

Form = Callable[[Mapping[int, Work]], Sequence[Sequence[int]]]
"""How the executor would share out work: units of pieces, in the order in which they begin."""


class Rehearsal:
    """An executor whose trials take time on its own clock alone."""

    threads_per_process = 1
    trials_run = 0
    trials_from_cache = 0
    stacks: tuple[StackedTrials, ...] = ()

    def __init__(
        self,
        spec: TrainingSpec,
        assumed: Assumptions,
        course: Course,
        *,
        processes: int,
        form: Form,
        prices: Prices,
        now: float,
    ) -> None:
        self.processes = processes
        self.results: list[TrialResult] = []  # of all trials so far
        self._spec, self._assumed, self._course = spec, assumed, course
        self._form = form
        self._prices = prices
        self._ahead = now - time.process_time()
        self._ready = [now, *[max(now, prices.second_process_at)] * (processes - 1)]

    def clock(self) -> float:
        """Seconds since the budget began to run. What we compute ourselves is really computed, and takes its time."""
        return self._ahead + time.process_time()

    def skip(self, seconds: float) -> None:
        """Put the clock forward."""
        self._ahead += seconds

    def open(self) -> Environment:
        """Never asked: what the start costs is known by now."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to end."""

    def run(self, work: Sequence[Work], *, deadline: float, on_result: OnResult) -> tuple[Result, ...]:
        """Expect a result of each, as if the units were given to whichever process is ready first."""
        began = end = self.clock()
        results: dict[int, TrialResult] = {}
        for pieces in self._form(dict(enumerate(work))):
            process = min(range(self.processes), key=lambda one: self._ready[one])
            at = max(self._ready[process], began)
            for index, one, seconds in self._unit(pieces, work):
                at += seconds
                results[index] = one if at <= deadline else TrialResult(outcome=Outcome.TIMED_OUT, stopped_by="time")
            self._ready[process] = min(at, deadline)
            end = max(end, self._ready[process])
        self.skip(max(0.0, end - self.clock()))
        for index, one in sorted(results.items()):
            on_result(index, one)
        self.results += results.values()
        return tuple(results[index] for index in range(len(work)))

    def _unit(self, pieces: Sequence[int], work: Sequence[Work]) -> list[tuple[int, TrialResult, float]]:
        trials = [one for one in (work[piece] for piece in pieces) if isinstance(one, Trial)]
        assert len(trials) == len(pieces), "what the probes cost is known by now"
        pairs = [(trial, self._within_its_time(trial)) for trial in trials]
        seconds = self._prices.unit(pairs)
        return [(piece, result, one) for piece, (_, result), one in zip(pieces, pairs, seconds, strict=True)]

    def _within_its_time(self, trial: Trial) -> TrialResult:
        """A trial ends itself at its limit."""
        result = expected(trial, self._spec, self._assumed, self._course)
        each = self._prices.seconds_per_update
        if trial.max_seconds is None or result.updates * each <= trial.max_seconds:
            return result.model_copy(update={"seconds": result.updates * each})
        updates = int(trial.max_seconds / each)
        return result.model_copy(update={"updates": updates, "stopped_by": "time", "seconds": trial.max_seconds})
