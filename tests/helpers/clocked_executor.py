"""An executor whose answers are known and take time on a clock of its own: how does a session spend its budget?

It ends work as the real one does: a trial ends itself at its own limit, after the update that it is in, and is then
evaluated; what hangs is ended at `limits.seconds_for` or at the deadline, and its process has to be started again.
"""

import math
from collections.abc import Callable, Sequence

from diagnoser.evidence.preflight import ProbeResult, SystemProfile
from diagnoser.messages import Result, Work
from diagnoser.sandbox import endings, limits, units
from diagnoser.trials import Outcome, Probe, ProbeKind, Trial, TrialResult
from tests.helpers.toy_executor import ToyExecutor

ENDING = 3.0  # seconds: SIGABRT for the stack, SIGTERM, SIGKILL, with a grace of one second each


class ClockedExecutor(ToyExecutor):
    """Two processes; begins with the user's code loaded."""

    def __init__(
        self,
        *,
        load: float = 3.0,
        update: float = 1e-3,
        evaluation: float = 1e-3,
        probe: float = 0.1,
        slower: float = 1.0,
        hangs: Callable[[Work], bool] = lambda _: False,
        total_updates: int = 200,
    ) -> None:
        super().__init__(seconds_per_update=update, total_updates=total_updates)
        self.seconds_per_evaluation = evaluation
        self.now = load  # the budget began to run at 0
        self.deadlines: list[float] = []
        self.ended: list[tuple[Work, float]] = []  # what did not end itself, and how long it was waited for
        self.cut: list[Work] = []  # what was at work when its round's deadline came
        self._load, self._probe_seconds, self._slower, self._hangs = load, probe, slower, hangs
        self._ready = [load] * self.processes

    def clock(self) -> float:
        return self.now

    def run(
        self, work: Sequence[Work], *, deadline: float, on_result: Callable[[int, Result], None]
    ) -> tuple[Result, ...]:
        self.deadlines.append(deadline)
        results: dict[int, Result] = {}
        end, ended = self.now, False
        for unit in units.form(dict(enumerate(work)), processes=self.processes):
            process = min(range(self.processes), key=lambda one: self._ready[one])
            at = max(self._ready[process], self.now)
            for index in unit.pieces:
                piece = work[index]
                seconds, result = self._one(piece)
                if self._hangs(piece) and at < deadline:
                    self.ended.append((piece, min(seconds, deadline - at)))
                if at + seconds > deadline:
                    results[index] = endings.lost(piece, outcome=Outcome.TIMED_OUT, error=None)
                    self.cut += [piece] if at < deadline else []
                    at, ended = deadline, ended or at < deadline
                else:
                    results[index], at = result, at + seconds
            end = max(end, at)
            self._ready[process] = at + self._load if self._hangs(work[unit.pieces[0]]) else at
        self.now = end + ENDING * ended
        for index, result in results.items():
            on_result(index, result)
        return tuple(results[index] for index in range(len(work)))

    def _one(self, work: Work) -> tuple[float, Result]:
        """What it takes until the work ends itself, or is ended for taking too long."""
        if self._hangs(work):
            limit = limits.seconds_for([work])
            return limit or float("inf"), endings.lost(work, outcome=Outcome.TIMED_OUT, error=None)
        if not isinstance(work, Trial):
            return self._asking(work.probe), self._answer(work)
        result = self._trial(work)
        assert isinstance(result, TrialResult)
        looks = max(0, work.evaluations - 1) * self.seconds_per_evaluation  # on the way
        each = self._slower * self.seconds_per_update
        whole = result.updates * each + looks
        share = 1.0 if work.max_seconds is None or whole <= work.max_seconds else work.max_seconds / whole
        updates = math.ceil(share * result.updates)
        seconds = updates * each
        if share < 1:
            result = result.model_copy(
                update={"updates": updates, "stopped_by": "time", "losses": result.losses[:updates]}
            )
        at_the_end = self.seconds_per_evaluation if work.evaluations else 0.0
        return max(seconds, share * whole) + at_the_end, result.model_copy(update={"seconds": seconds})

    def _asking(self, kind: ProbeKind) -> float:
        timed = 5 * self.seconds_per_update + self.seconds_per_evaluation  # fewer than it would like to
        return {ProbeKind.ASSUMPTIONS: 0.1, ProbeKind.SYSTEM: timed}.get(kind, self._probe_seconds)

    def _answer(self, probe: Probe) -> ProbeResult:
        result = self._probe(probe)
        if isinstance(result.value, SystemProfile):
            known = result.value.model_copy(update={"seconds_per_evaluation": self.seconds_per_evaluation})
            return result.model_copy(update={"value": known})
        return result
