"""Trials that may be trained together are asked for together, evenly over the processes, and in their order."""

import pytest

from diagnoser.messages import MOST_TRIALS, Work
from diagnoser.sandbox.units import form
from diagnoser.trials import Probe, ProbeKind, Trial


def pieces(
    work: list[Work], *, processes: int = 1, stacking: bool = True, most: int = MOST_TRIALS
) -> list[tuple[int, ...]]:
    units = form(dict(enumerate(work)), processes=processes, stacking=stacking, most=most)
    return [unit.pieces for unit in units]


def rates(count: int) -> list[Work]:
    return [Trial(seed=0, changes={"optimizer.lr": 10.0**-n}) for n in range(count)]


@pytest.mark.parametrize(
    ("trials", "processes", "sizes"),
    [
        (10, 1, [10]),
        (10, 2, [5, 5]),
        (3, 2, [2, 1]),
        (1, 2, [1]),
        (2, 4, [1, 1]),
        (16, 1, [16]),
        (17, 1, [9, 8]),
        (40, 2, [10, 10, 10, 10]),
    ],
)
def test_each_process_gets_its_share_and_none_too_many(trials: int, processes: int, sizes: list[int]) -> None:
    shared = pieces(rates(trials), processes=processes)
    assert [len(unit) for unit in shared] == sizes
    assert max(sizes) <= MOST_TRIALS
    assert sorted(index for unit in shared for index in unit) == list(range(trials))


def test_neighbours_are_dealt_out_and_each_share_is_in_order() -> None:
    assert pieces(rates(5), processes=2) == [(0, 2, 4), (1, 3)]


def test_trials_that_differ_in_more_than_numbers_are_not_asked_for_together() -> None:
    plain, wide = Trial(seed=0), Trial(seed=0, changes={"model.args.width": 64})
    work: list[Work] = [plain, wide, plain.model_copy(update={"seed": 1}), wide.model_copy(update={"seed": 1})]
    assert pieces(work) == [(0, 2), (1, 3)]


def test_kinds_that_go_round_evenly_stay_whole() -> None:
    fixes = [Trial(seed=seed, changes={"data.batch_size": size}) for size in (16, 64) for seed in range(3)]
    assert pieces(list(fixes), processes=2) == [(0, 1, 2), (3, 4, 5)]
    assert pieces(list(fixes[:5]), processes=2) == [(0, 2), (1,), (3,), (4,)]


def test_probes_and_the_users_own_loop_run_alone_and_what_needs_quiet_comes_last() -> None:
    loops = [Trial(seed=seed, loop="user") for seed in (0, 1)]
    work = [Probe(probe=ProbeKind.SYSTEM), Probe(probe=ProbeKind.DATA), *loops, *rates(2)]
    assert pieces(work) == [(1,), (2,), (3,), (4, 5), (0,)]


def test_without_stacking_every_trial_is_asked_for_alone() -> None:
    assert pieces(rates(3), stacking=False) == [(0,), (1,), (2,)]


def test_whoever_wants_small_stacks_gets_small_units() -> None:
    assert pieces(rates(10), most=4) == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]


def test_what_is_not_missing_is_not_asked_for() -> None:
    work = dict(enumerate(rates(4)))
    del work[1]
    assert [unit.pieces for unit in form(work, processes=1)] == [(0, 2, 3)]
