"""A child has the time that its trials have, and never longer than the run."""

import time

import pytest

from diagnoser.messages import Result, Work
from diagnoser.sandbox.limits import TIME_FACTOR, TIME_GRACE
from diagnoser.sandbox.round import Round
from diagnoser.sandbox.units import Unit
from diagnoser.trials import Outcome, Trial

NOW = 1_000.0
WORK: dict[int, Work] = {
    index: Trial(seed=index, max_seconds=seconds) for index, seconds in enumerate((10.0, 20.0, None))
}


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: NOW)


def begun(*, seconds_left: float = 1e6, units: tuple[Unit, ...] = ()) -> tuple[Round, dict[int, Result]]:
    told: dict[int, Result] = {}
    deadline = NOW + seconds_left
    return Round(
        WORK, units, deadline=deadline, on_done=lambda piece, result, files: told.update({piece: result})
    ), told


def test_a_stack_has_the_time_of_all_its_trials_and_one_grace() -> None:
    assert begun()[0].limit([0, 1], stacked=True) == NOW + TIME_FACTOR * 30 + TIME_GRACE


def test_one_after_the_other_the_next_result_comes_in_the_time_of_the_longest() -> None:
    assert begun()[0].limit([0, 1], stacked=False) == NOW + TIME_FACTOR * 20 + TIME_GRACE


@pytest.mark.parametrize("stacked", [True, False])
def test_a_trial_without_a_limit_has_the_time_of_the_run(stacked: bool) -> None:
    assert begun(seconds_left=500)[0].limit([0, 2], stacked=stacked) == NOW + 500
    assert begun(seconds_left=5)[0].limit([0], stacked=stacked) == NOW + 5


@pytest.mark.parametrize("stacked", [True, False])
def test_after_the_last_result_there_is_a_grace_to_say_so(stacked: bool) -> None:
    assert begun()[0].limit([], stacked=stacked) == NOW + TIME_GRACE


def test_what_is_asked_again_comes_before_all_that_waits() -> None:
    round_, _ = begun(units=(Unit((2,)),))
    round_.ask_again((Unit((0,)), Unit((1,))))
    assert [unit.pieces for unit in round_.waiting] == [(0,), (1,), (2,)]


def test_only_a_piece_that_was_the_only_one_left_has_an_attempt_counted() -> None:
    round_, _ = begun()
    assert [round_.attempt([0, 1]), round_.attempt([0]), round_.attempt([0]), round_.attempt([1])] == [0, 1, 2, 1]


def test_given_up_is_told_of_every_piece() -> None:
    round_, told = begun(units=(Unit((0, 2)), Unit((1,))))
    round_.give_up(outcome=Outcome.TIMED_OUT, error=None)
    assert {piece: result.outcome for piece, result in told.items()} == dict.fromkeys((0, 1, 2), Outcome.TIMED_OUT)
    assert not round_.waiting
