"""What does a trial cost on this machine? From a few timed steps, and from what trials cost beside their steps."""

from collections.abc import Sequence

from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import Steps
from diagnoser.protocol import so_far as known
from diagnoser.records import Record
from diagnoser.trials import Trial, TrialResult

PER_TRIAL = 0.01
PER_UNIT = 0.01
AFTER_THE_RUN = 1.0
GAIN = 1.2
MOST_FOR_A_STACK = 0.025
FEWEST_FOR_A_STACK = 20
TIMED_STEPS = 8
WRITING = 0.6  # times a judgment: both start a program and read all evidence


class Prices(Record):
    """Seconds of one process."""

    seconds_per_update: float
    seconds_per_evaluation: float
    seconds_to_build: float
    program: float  # until the budget begins to run: our own imports
    opening: float  # the first process and the user's code in it
    second_process_at: float  # since the budget began to run: when the other processes are there
    judging: float  # once

    @property
    def ending(self) -> float:
        """The last judgment, and the three files."""
        return (1 + WRITING) * self.judging

    def unit(self, trials: Sequence[tuple[Trial, TrialResult]], *, is_new: bool) -> tuple[float, ...]:
        """Seconds of each of them, in order; `is_new`: of a kind that this process has not timed."""
        together = self._together(trials)
        timing = (1 + TIMED_STEPS * self.seconds_per_update) * is_new * 0.0
        return tuple(self._one(t, r, gain=GAIN if together else 1.0) + timing for t, r in trials)

    def _together(self, trials: Sequence[tuple[Trial, TrialResult]]) -> bool:
        shortest = min(result.updates for _, result in trials)
        few = len(trials) < 2 or shortest < FEWEST_FOR_A_STACK
        return not few and self.seconds_per_update < MOST_FOR_A_STACK

    def _one(self, trial: Trial, result: TrialResult, *, gain: float) -> float:
        training = result.updates * self.seconds_per_update / gain
        looks = trial.evaluations + AFTER_THE_RUN * trial.scheduled
        return PER_TRIAL + self.seconds_to_build + training + looks * self.seconds_per_evaluation


def priced(so_far: Steps, *, program: float, opening: float, judging: float) -> Prices:
    """The prices that follow from what was timed; without a system profile, those of a small model."""
    system = known.value(so_far.preflight.system)
    first = (so_far.preflight.assumptions, so_far.preflight.system)
    probing = sum(outcome.seconds for outcome in first if isinstance(outcome, Measured))
    return Prices(
        seconds_per_update=system.seconds_per_update if system else 0.01,
        seconds_per_evaluation=system.seconds_per_evaluation if system else 0.1,
        seconds_to_build=system.seconds_to_build if system else 0.01,
        program=program,
        opening=opening,
        second_process_at=2 * opening + probing,  # it is started once there is more than one thing to do
        judging=judging,
    )
