"""What does a trial cost on this machine? From a few timed steps, and from what trials cost beside their steps."""

from collections.abc import Sequence

from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import Steps
from diagnoser.protocol import so_far as known
from diagnoser.records import Record
from diagnoser.trials import Trial, TrialResult

# Means over the healthy programs of tests/faults/healthy, in CPU time of one process (2 cores, torch 2.13):
LOOP = 6e-5  # seconds an update, for what is done between two steps beside what the probe times
LOOKING = 6e-5  # seconds an update, more of it: instruments, or looks at the small set
STEP = 1.05  # times the update that the probe timed, whose caches are warm
EVALUATION = 1.2  # times the evaluation that the probe timed: metric and copies
TRIAL = 0.005  # seconds: seeds, the initial loss, the result
WHOLE_RUN = 0.02  # seconds more at the end of the user's own run: noise of the evaluation, classes
UNIT = 0.01  # seconds: a request, its answer, and what is found out about stacking
GAIN = 1.25  # of a stack over its trials one by one, those that are not stacked after all among them
FEWEST_TOGETHER, FEWEST_UPDATES, LONGEST = 4, 20, 5e-3  # trials, updates, seconds of one: beyond, no gain was seen
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

    def unit(self, trials: Sequence[tuple[Trial, TrialResult]]) -> tuple[float, ...]:
        """Seconds of each trial of a unit, in order."""
        shortest = min(result.updates for _, result in trials)
        many = len(trials) >= FEWEST_TOGETHER and shortest >= FEWEST_UPDATES and self.seconds_per_update < LONGEST
        gain = GAIN if many else 1.0
        return tuple(UNIT / len(trials) + self._trial(trial, result, gain=gain) for trial, result in trials)

    def _trial(self, trial: Trial, result: TrialResult, *, gain: float) -> float:
        looks = trial.stop_when_memorised or trial.instruments
        update = STEP * self.seconds_per_update + LOOP + LOOKING * looks
        around = TRIAL + WHOLE_RUN * trial.scheduled + self.seconds_to_build
        looked_at = 0.5 if trial.only_validated else 1.0  # the training rows are the other half of an evaluation
        evaluating = EVALUATION * self.seconds_per_evaluation * len(result.evaluations) * looked_at
        return around + result.updates * update / gain + evaluating


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
