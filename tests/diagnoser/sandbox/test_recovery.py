"""A lost process costs the piece of work that lost it: the rest is asked again, and nothing for ever."""

from typing import Literal

import pytest

from diagnoser.messages import Failed, Work
from diagnoser.sandbox import stacks
from diagnoser.sandbox.recovery import ATTEMPTS, Recovery, recover
from diagnoser.sandbox.supervisor import Ending
from diagnoser.sandbox.units import Unit
from diagnoser.trials import CUT_SHORT, Outcome, Trial

FIVE = Unit((0, 1, 2, 3, 4))
WORK: dict[int, Work] = {index: Trial(seed=index, max_seconds=10.0) for index in range(5)}


def ending(
    cause: Literal["died", "timed_out", "memory", "garbage"], *, seconds: float = 1.0, exit_code: int | None = None
) -> Ending:
    stack = stacks.Stack(traceback="", crash=None, exit_code=exit_code)
    return Ending(cause=cause, stack=stack, returncode=-9, seconds=seconds, allowed=100.0, output="")


def after(
    said: Ending | Failed,
    *left: int,
    unit: Unit = FIVE,
    attempt: int = 1,
    processes: int = 1,
    at_deadline: bool = False,
) -> Recovery:
    return recover(unit, left, said, work=WORK, attempt=attempt, processes=processes, at_deadline=at_deadline)


def alone(*pieces: int) -> tuple[Unit, ...]:
    return tuple(Unit((piece,), largest=1) for piece in pieces)


@pytest.mark.parametrize("said", [ending("died"), ending("garbage"), ending("died", exit_code=3)])
def test_of_several_each_runs_alone_to_find_the_one(said: Ending) -> None:
    assert after(said, 1, 2, 4) == Recovery(again=alone(1, 2, 4))
    assert after(Failed(message="ours", traceback=""), 1, 2) == Recovery(again=alone(1, 2))


def test_the_only_one_left_has_as_many_attempts_as_any_piece() -> None:
    for attempt in range(1, ATTEMPTS):
        assert after(ending("died"), 4, attempt=attempt).again == alone(4)
    last = after(ending("died"), 4, attempt=ATTEMPTS)
    assert last.again == ()
    assert last.results[4].outcome is Outcome.WORKER_LOST


@pytest.mark.parametrize("said", [ending("died", exit_code=3), ending("timed_out"), Failed(message="", traceback="")])
def test_what_would_end_the_same_way_again_is_not_asked_again(said: Ending | Failed) -> None:
    found = after(said, 4)
    assert found.again == ()
    assert list(found.results) == [4]


def test_lost_memory_halves_the_stack_then_the_company_then_blames_the_trial() -> None:
    unit, seen, processes = FIVE, [], 2
    while True:
        found = after(ending("memory"), *unit.pieces, unit=unit, processes=processes)
        if found.one_process:
            processes = 1
        if not found.again:
            break
        unit = found.again[0]
        seen.append((len(unit.pieces), unit.largest, processes))
    assert seen == [(5, 2, 2), (5, 1, 2), (5, 1, 1), (1, 1, 1)]
    assert found.results[0].outcome is Outcome.OUT_OF_MEMORY


def test_one_that_is_left_of_a_stack_gets_the_memory_of_the_others_before_it_is_blamed() -> None:
    assert after(ending("memory"), 3).again == (Unit((3,), largest=2),)
    assert after(ending("memory"), 3, unit=Unit((2, 3), largest=1)).again == alone(3)


def test_out_of_time_for_a_unit_is_not_yet_out_of_time_for_each() -> None:
    assert after(ending("timed_out", seconds=130), 2, 3).again == alone(2, 3)


def test_at_the_deadline_everything_is_timed_out_and_the_first_says_where_it_was() -> None:
    found = after(ending("timed_out"), 2, 3, at_deadline=True)
    assert found.again == ()
    assert [found.results[piece].outcome for piece in (2, 3)] == [Outcome.TIMED_OUT] * 2
    first, second = found.results[2].error, found.results[3].error
    assert first is not None
    assert first.kind == CUT_SHORT  # two trials of 10 s were not overdue
    assert second is None
    overdue = after(ending("timed_out", seconds=60), 2, 3, at_deadline=True).results[2].error
    assert overdue is not None
    assert overdue.kind == "TimedOut"


def test_a_crash_at_the_deadline_is_blamed_on_nobody() -> None:
    assert after(ending("died"), 2, 3, at_deadline=True).again == alone(2, 3)


def test_nothing_is_left_when_everything_was_told() -> None:
    assert after(ending("memory")) == Recovery()
