"""What does each step get of the budget, and what is an update believed to cost?"""

from typing import Any

import pytest

from diagnoser.evidence.outcome import measured
from diagnoser.evidence.steps import Steps
from diagnoser.protocol.session import unmeasured
from diagnoser.protocol.spending import MOST_FOR_PROBES, ROUND_GRACE, ROUND_OVERRUN, SHARES, Spending
from diagnoser.trials import Outcome, Rows, Trial, TrialResult
from tests.helpers import make

SMALL_SET = Rows(per_class=8)


def timed(seconds_per_update: float) -> Steps:
    system = make.system_profile(seconds_per_update=seconds_per_update)
    return unmeasured().model_copy(update={"preflight": make.preflight(system=measured(system, seconds=0.1))})


def spending(*, minutes: float = 10.0, now: float = 0.0, **spec: Any) -> Spending:
    return Spending(make.spec(budget={"minutes": minutes}, **spec), lambda: 2, 0.0, lambda: now)


def ran(each: float, *, stacked: int = 1, updates: int = 100) -> TrialResult:
    return TrialResult(outcome=Outcome.COMPLETED, updates=updates, seconds=each * updates, stacked=stacked)


def test_the_first_step_gets_its_share_and_the_last_one_all_that_is_left() -> None:
    purse = spending()
    assert purse.allowance("preflight", spent=0.0, so_far=unmeasured()).seconds == pytest.approx(
        purse.seconds_left * SHARES["preflight"]
    )
    assert purse.allowance("treatments", spent=0.0, so_far=unmeasured()).seconds == pytest.approx(purse.seconds_left)


def test_what_a_step_has_used_already_is_no_longer_its_own() -> None:
    purse = spending(now=30.0)
    fresh = purse.allowance("treatments", spent=0.0, so_far=unmeasured())
    later = spending(now=50.0).allowance("treatments", spent=20.0, so_far=unmeasured())
    assert later.seconds == pytest.approx(fresh.seconds - 20.0)


@pytest.mark.parametrize("minutes", [0.1, 0.5, 2.0, 10.0, 120.0])
def test_something_is_kept_for_judging_and_never_more_than_a_quarter(minutes: float) -> None:
    kept = minutes * 60 - spending(minutes=minutes).seconds_left
    assert 0 < kept <= 0.25 * minutes * 60


def test_an_update_costs_what_the_lone_trials_took_lately_when_that_is_more_than_was_timed() -> None:
    purse = spending()
    for _ in range(5):
        purse.note(Trial(seed=0), ran(0.03))
    assert purse.allowance("curves", spent=0.0, so_far=timed(0.01)).seconds_per_update == pytest.approx(0.03)
    assert purse.allowance("curves", spent=0.0, so_far=timed(0.05)).seconds_per_update == pytest.approx(0.05)


def test_stacked_trials_do_not_promise_a_cheap_update_to_one_that_is_trained_alone() -> None:
    purse = spending()
    for _ in range(5):
        purse.note(Trial(seed=0), ran(0.002, stacked=5))
    for name in ("curves", "fine_search", "treatments", "overfit"):
        assert purse.allowance(name, spent=0.0, so_far=timed(0.01)).seconds_per_update == pytest.approx(0.01)


def test_steps_of_many_trials_of_a_kind_are_planned_with_what_stacked_ones_took() -> None:
    purse = spending()
    for _ in range(5):
        purse.note(Trial(seed=0), ran(0.002, stacked=5))
    for name in ("lr_scan", "coarse_search"):
        assert purse.allowance(name, spent=0.0, so_far=timed(0.01)).seconds_per_update == pytest.approx(0.002)


def test_a_stack_of_small_sets_says_nothing_about_batches_of_the_whole_set() -> None:
    purse = spending()
    for _ in range(5):
        purse.note(Trial(seed=0, rows=SMALL_SET), ran(0.002, stacked=3))
    assert purse.allowance("lr_scan", spent=0.0, so_far=timed(0.01)).seconds_per_update == pytest.approx(0.01)


def test_a_few_updates_are_no_timing() -> None:
    purse = spending()
    purse.note(Trial(seed=0), ran(5.0, updates=2))
    assert purse.allowance("curves", spent=0.0, so_far=timed(0.01)).seconds_per_update == pytest.approx(0.01)


def test_no_round_may_outlast_the_run() -> None:
    purse = spending(minutes=1.0, now=50.0)
    allowance = purse.allowance("treatments", spent=0.0, so_far=unmeasured())
    assert purse.deadline("treatments", allowance) == pytest.approx(50.0 + purse.seconds_left)


def test_a_round_of_a_long_run_may_take_thrice_its_share_and_the_grace_of_one_trial() -> None:
    purse = spending(minutes=60.0)
    allowance = purse.allowance("overfit", spent=0.0, so_far=unmeasured())
    assert purse.deadline("overfit", allowance) == pytest.approx(ROUND_OVERRUN * allowance.seconds + ROUND_GRACE)


def test_the_grace_of_a_short_run_is_shorter() -> None:
    purse = spending(minutes=0.5)
    allowance = purse.allowance("initial_loss", spent=0.0, so_far=unmeasured())
    assert purse.deadline("initial_loss", allowance) < 0.5 * 30


def test_the_probes_get_a_part_of_what_is_left_and_those_that_everything_rests_on_all_of_it() -> None:
    purse = spending(minutes=1.0, now=10.0)
    allowance = purse.allowance("preflight", spent=5.0, so_far=unmeasured())
    assert purse.deadline("preflight", allowance) == pytest.approx(10.0 + MOST_FOR_PROBES * purse.seconds_left)
    assert purse.deadline("preflight", None) == pytest.approx(10.0 + purse.seconds_left)
