"""What is left of the budget, what does each step get of it, and what does an update cost here by now?"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from diagnoser.evidence.steps import Steps
from diagnoser.messages import Result, Work
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.events import StepName
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial, TrialResult

SHARES: dict[StepName, float] = {
    "preflight": 0.15,
    "initial_loss": 0.04,
    "overfit": 0.14,
    "lr_scan": 0.13,
    "curves": 0.18,
    "coarse_search": 0.09,
    "fine_search": 0.06,
    "treatments": 0.21,
}
"""Of the budget, in the order of running; what a step leaves over goes to those after it. The curves of the user's own
run tell more than a search and need none of its results, so they go first."""

LEFT_OUT_BY_QUICK: tuple[StepName, ...] = ("coarse_search", "fine_search", "curves")
MANY_OF_A_KIND: tuple[StepName, ...] = ("lr_scan", "coarse_search")
"""Steps whose trials differ in numbers alone and are many, so that whoever can train several at once does."""

RESERVE_SECONDS = 4.0  # ending children that hang, judging twice, printing
RESERVE_SHARE = 0.05  # ... but never more than this of a long budget
RESERVE_OF_SHORT = 0.25  # ... and of a budget that is nothing but a few reserves
ENOUGH_TO_TIME = 20  # updates
LATELY = 12  # trials
FEWEST_TOGETHER = 3  # stacked trials, before their cost is believed

MOST_FOR_PROBES = 0.25  # of the time left when the first two have told what things cost: the others can do without
ROUND_OVERRUN = 3.0  # times a step's allowance: its trials stop themselves after one and a half
ROUND_GRACE = 30.0  # seconds for what is no training (`sandbox/limits.py` gives one trial as many) ...
GRACE_SHARE = 0.25  # ... but no more of a short budget, which one hanging trial would eat whole


@dataclass
class Spending:
    """The budget of one walk through the steps."""

    spec: TrainingSpec
    processes: Callable[[], int]  # they may become fewer on the way
    started: float  # on this clock, when the budget began to run
    clock: Callable[[], float] = time.monotonic
    alone: list[float] = field(default_factory=list)  # seconds per update of the trials that ended so far
    together: list[float] = field(default_factory=list)  # the same of stacked trials: each one's share of its stack

    @property
    def budget(self) -> float:
        """Seconds for everything."""
        return self.spec.budget.minutes * 60

    @property
    def seconds_used(self) -> float:
        """Wall time since the budget began to run."""
        return self.clock() - self.started

    @property
    def seconds_left(self) -> float:
        """Wall time left for measuring."""
        budget = self.budget
        long = budget > RESERVE_SECONDS / RESERVE_OF_SHORT
        reserve = max(RESERVE_SECONDS, RESERVE_SHARE * budget) if long else RESERVE_OF_SHORT * budget
        return budget - reserve - self.seconds_used

    def allowance(self, name: StepName, *, spent: float, so_far: Steps) -> Allowance:
        """The step's share of what is left for it and the steps after it, less what it has `spent` already."""
        names = [n for n in SHARES if not (self.spec.protocol.preset == "quick" and n in LEFT_OUT_BY_QUICK)]
        ahead = sum(SHARES[n] for n in names[names.index(name) :])
        seconds = (self.seconds_left + spent) * SHARES[name] / ahead - spent
        system = known.value(so_far.preflight.system)
        if system is None:
            return Allowance(seconds=seconds, processes=self.processes())
        return Allowance(
            seconds=seconds,
            processes=self.processes(),
            seconds_per_update=self._seconds_per_update(name, timed=system.seconds_per_update),
            seconds_per_evaluation=system.seconds_per_evaluation,
            seconds_to_build=system.seconds_to_build,
        )

    def deadline(self, name: StepName, allowance: Allowance | None) -> float:
        """Until when a round of work may take, on this clock; None: as long as there is time at all."""
        end = max(self.seconds_left, 1.0)
        if allowance is not None:
            end = min(end, max(1.0, self._longest(name, max(0.0, allowance.seconds))))
        return self.clock() + end

    def note(self, work: Work, result: Result) -> None:
        """Remember what an update took: on a busy machine more than when it was first timed."""
        if not isinstance(work, Trial) or not isinstance(result, TrialResult) or result.updates < ENOUGH_TO_TIME:
            return
        one = result.seconds / result.updates
        if result.stacked == 1:
            self.alone.append(one)
        elif work.rows.per_class is None:  # a small set has batches of its own
            self.together.append(one)

    def _longest(self, name: StepName, seconds: float) -> float:
        if name == "preflight":
            return MOST_FOR_PROBES * self.seconds_left
        return ROUND_OVERRUN * seconds + min(ROUND_GRACE, GRACE_SHARE * self.budget)

    def _seconds_per_update(self, name: StepName, *, timed: float) -> float:
        """Trials that are trained together are no promise for one that will be trained alone."""
        if name in MANY_OF_A_KIND and len(self.together) >= FEWEST_TOGETHER:
            return median(self.together[-LATELY:])
        return max(timed, median(self.alone[-LATELY:])) if self.alone else timed
