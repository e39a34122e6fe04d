"""The evidence tells how the trials were run: how many at once, and why."""

import time

from diagnoser import local
from diagnoser.evidence.evidence import ExecutionPlan, StackedTrials
from tests.helpers import make
from tests.helpers.toy_executor import ToyExecutor

TOGETHER = StackedTrials(trials=20, at_once=5, because="2.1 times as fast as one by one")
ALONE = StackedTrials(trials=3, at_once=1, because="the user's own loop trains one model at a time")


def plan(*stacks: StackedTrials) -> ExecutionPlan:
    executor = ToyExecutor()
    executor.stacks = stacks
    job = local.Job(spec=make.spec(), source=make.spec_source(), command="diagnoser run")
    evidence = local._evidence(
        job, executor, make.environment(), make.steps(), kind="local", created="", started=time.monotonic()
    )
    return evidence.run.plan


def test_stacks_are_told_with_their_reasons() -> None:
    assert plan(TOGETHER, ALONE).stacks == (TOGETHER, ALONE)
    assert plan(TOGETHER, ALONE).stacked


def test_trials_that_ran_one_after_the_other_were_not_stacked() -> None:
    assert not plan(ALONE).stacked
    assert not plan().stacked
