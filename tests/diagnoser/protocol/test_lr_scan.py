"""Step 3 alone, on losses that are known."""

import math
from collections import Counter

from diagnoser.evidence.outcome import measured
from diagnoser.evidence.steps import LrScan
from diagnoser.protocol import lr_scan
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.session import unmeasured
from diagnoser.protocol.so_far import Done
from diagnoser.trials import Trial, TrialResult
from tests.helpers import make
from tests.helpers.toy_executor import BEST_LR, ToyExecutor

USER_LR = 1e-3
NEXT_BEST = 3.16e-3  # the neighbour of the best on the grid


def scan(executor: ToyExecutor) -> tuple[LrScan, Done]:
    """Plan, run and read until no more is asked."""
    spec = make.spec()
    steps = unmeasured()
    preflight = steps.preflight.model_copy(
        update={"assumptions": measured(make.assumptions(updates_per_epoch=20, effective_lr=USER_LR), seconds=0.1)}
    )
    so_far = steps.model_copy(update={"preflight": preflight})
    done: Done = ()
    while trials := lr_scan.plan(spec, so_far, done, allowance=Allowance(seconds=600.0)):
        results = executor.run(trials, deadline=math.inf, on_result=lambda *_: None)
        done += tuple((t, r) for t, r in zip(trials, results, strict=True) if isinstance(r, TrialResult))
    return lr_scan.read(spec, so_far, done), done


def lr_of(trial: Trial) -> float:
    return float(str(trial.changes["optimizer.lr"]))


def seeds_by_lr(done: Done) -> Counter[float]:
    return Counter(lr_of(trial) for trial, _ in done)


def good_at_one_seed(trial: Trial, result: TrialResult) -> TrialResult:
    """At the best lr only the first seed is as good as it looks; the others hardly fall."""
    if lr_of(trial) != BEST_LR or trial.seed == 0:
        return result
    return result.model_copy(update={"losses": tuple(math.log(10) * 0.9 for _ in result.losses)})


def test_the_users_lr_and_the_proposal_are_seen_over_three_seeds_and_the_others_once():
    found, done = scan(ToyExecutor(user_lr=USER_LR))
    assert found.proposal == BEST_LR
    assert {lr for lr, seeds in seeds_by_lr(done).items() if seeds > 1} == {USER_LR, BEST_LR}
    assert set(seeds_by_lr(done).values()) == {1, 3}


def test_a_proposal_that_owed_its_place_to_one_seed_gives_way_to_the_next():
    found, done = scan(ToyExecutor(user_lr=USER_LR, change=good_at_one_seed))
    assert found.proposal in {NEXT_BEST, 3.16e-2}
    assert seeds_by_lr(done)[found.proposal] == 3


def test_nothing_is_trained_twice_when_the_proposal_moves():
    _, done = scan(ToyExecutor(user_lr=USER_LR, change=good_at_one_seed))
    assert max(Counter((lr_of(trial), trial.seed) for trial, _ in done).values()) == 1


def test_the_grid_is_tried_for_a_hundred_updates_where_an_epoch_is_shorter():
    _, done = scan(ToyExecutor(user_lr=USER_LR))
    assert {lr_of(trial) for trial, _ in done} >= {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}
    assert {trial.updates for trial, _ in done} == {lr_scan.ENOUGH_UPDATES}
