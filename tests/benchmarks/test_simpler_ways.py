"""What would two simple checks, and a random search, have said of the same programs?"""

import math
from typing import Any

import pytest

from benchmarks.fault_scores import baselines, results, simple
from benchmarks.fault_scores.shares import Share
from diagnoser.trials import Evaluation, Outcome, Trial, TrialResult
from tests.helpers import make
from tests.helpers.scored_cases import (
    case,
    diagnosis,
    treated,
)


@pytest.mark.parametrize(
    ("observed", "memorised", "alarms"),
    [
        ((2.3, 2.2, 2.4), True, False),
        ((2.9, 2.9, 2.9), True, True),  # 26 % too high
        ((1.7, 1.7, 1.7), True, True),  # 26 % too low
        ((2.3, math.nan, 2.3), True, True),
        ((2.3, 2.3, 2.3), False, True),
        ((2.3, 2.3, 2.3), None, False),  # could not be asked
    ],
)
def test_two_checks_alarm_when_the_first_loss_is_off_or_the_samples_are_not_memorised(
    observed: tuple[float, ...], memorised: bool | None, alarms: bool
) -> None:
    steps = make.steps(initial_loss=make.initial_loss(observed=observed, chance=2.3))
    ratio = simple.initial_loss_ratio(steps)
    assert simple.Simple(initial_loss_ratio=ratio, memorised=memorised).alarms is alarms


@pytest.mark.parametrize(
    ("task", "classes", "per_class"), [("classification", 10, 2), ("binary", 1, 8), ("regression", 1, 2)]
)
def test_sixteen_samples_are_a_few_of_each_class(task: str, classes: int, per_class: int) -> None:
    steps = make.steps(assumptions=make.assumptions(task=task, classes=classes))
    trial = simple.small_trial(make.spec(), steps)
    assert (trial.rows.per_class, trial.updates) == (per_class, simple.UPDATES)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (TrialResult(outcome=Outcome.COMPLETED, stopped_by="memorised"), True),
        (TrialResult(outcome=Outcome.COMPLETED, stopped_by="length"), False),
        (TrialResult(outcome=Outcome.DIVERGED, stopped_by="diverged"), False),
        (TrialResult(outcome=Outcome.COMPLETED, stopped_by="time"), None),
        (TrialResult(outcome=Outcome.USER_ERROR, stopped_by="error"), None),
    ],
)
def test_only_a_run_that_came_to_its_end_tells_whether_it_memorised(result: TrialResult, said: bool | None) -> None:
    assert simple.memorised(result) is said


def searched(metric: float | None, **result: Any) -> TrialResult:
    end = Evaluation(
        updates=9, epoch=1.0, lr=0.1, train_loss=None, train_metric=None, validation_loss=1.0, validation_metric=metric
    )
    return TrialResult(**{"outcome": Outcome.COMPLETED, "evaluations": (end,)} | result)


def test_the_best_of_a_random_search_is_the_best_that_came_to_its_end() -> None:
    ends = [0.5, 0.7, math.nan, None]
    done = tuple((Trial(seed=number), searched(end)) for number, end in enumerate(ends))
    cut = ((Trial(seed=9), searched(0.9, stopped_by="time")), (Trial(seed=8), TrialResult(outcome=Outcome.TIMED_OUT)))
    best = simple.best(done + cut, higher_is_better=True)
    assert best is not None
    assert best.seed == 1
    lowest = simple.best(done, higher_is_better=False)
    assert lowest is not None
    assert lowest.seed == 0
    assert simple.best(cut, higher_is_better=True) is None


def test_ours_and_simpler_ways_are_counted_on_the_same_cases() -> None:
    repair = simple.Repair(tried=8, changes={"optimizer.lr": 0.1}, state="verified", metric="accuracy", after=0.89)
    mended = simple.Simple(initial_loss_ratio=1.5, memorised=True, repair=repair)
    worse = mended.model_copy(update={"memorised": False, "repair": repair.model_copy(update={"after": 0.5})})
    quiet = simple.Simple(initial_loss_ratio=1.0, memorised=True)
    healthy = results.of_diagnosis(case("h"), diagnosis("healthy"), seconds=1.0)
    asked = [(treated([0.9, 0.9]), mended), (treated([0.5, 0.5]), worse), (healthy, quiet), (healthy, worse)]
    ours, checks, search = baselines.ways(asked)
    assert (ours.detection, ours.false_alarm) == (Share(hits=2, of=2), Share(hits=0, of=2))
    assert (ours.repaired, ours.mended) == (Share(hits=2, of=2), Share(hits=1, of=2))
    assert (checks.detection, checks.false_alarm) == (Share(hits=2, of=2), Share(hits=1, of=2))
    assert (search.repaired, search.mended) == (Share(hits=2, of=2), Share(hits=1, of=2))
    assert (checks.repaired.of, search.detection.of) == (0, 0), "neither claims what it does not do"


def test_random_search_gets_the_seconds_of_our_treatments_or_those_in_the_middle() -> None:
    some = [treated([0.9]).model_copy(update={"treatment_seconds": seconds}) for seconds in (10.0, None, 30.0, 14.0)]
    assert baselines.usual_seconds(some) == 14.0
    assert baselines.usual_seconds(some[1:2]) == baselines.USUAL_SECONDS
