"""A run ends within its budget whatever the user's code does, and says what it left out.

Counted on a clock of the tests' own: an executor that ends work as the real one does says what it takes. One run is
real, and marked slow.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from diagnoser.evidence.outcome import Measured, NotMeasured, Reason
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Verdict
from diagnoser.messages import Work
from diagnoser.protocol.session import Session
from diagnoser.sandbox import endings, limits
from diagnoser.trials import Probe, ProbeKind, Trial
from rules.verdict import WORDS, scope
from tests.helpers import make, mischief
from tests.helpers.clocked_executor import ENDING, ClockedExecutor
from tests.helpers.command_line import diagnoser

OVERRUN = 1.1
AFTER = 2.5  # seconds: two judgments and the report, which take 1.3 where nothing else runs
BUSY = 10.0  # seconds that a machine with other work may add to starting and ending processes
BUDGETS = (20.0, 40.0, 60.0, 120.0, 600.0)


def never(_: Work) -> bool:
    return False


def training(work: Work) -> bool:
    return isinstance(work, Trial) and work.updates != 0


def untrained(work: Work) -> bool:
    return isinstance(work, Trial) and work.updates == 0


def everything(work: Work) -> bool:
    return isinstance(work, Trial) or work.probe not in {ProbeKind.ASSUMPTIONS, ProbeKind.SYSTEM}


def the_gradient(work: Work) -> bool:
    return isinstance(work, Probe) and work.probe is ProbeKind.GRADIENT


WORKLOADS: dict[str, dict[str, Any]] = {
    "a small model": {},
    "a step of 0.3 s": {"update": 0.3, "evaluation": 0.3, "probe": 3.0, "total_updates": 5000},
    "a step of 2 s": {"load": 6.0, "update": 2.0, "evaluation": 2.0, "probe": 20.0, "total_updates": 5000},
    "training hangs": {"hangs": training},
    "an untrained model hangs": {"hangs": untrained},
    "whatever is asked hangs": {"hangs": everything},
    "one probe hangs": {"hangs": the_gradient},
    "an evaluation of 10 s": {"evaluation": 10.0},
    "data that take 5 s to build": {"load": 8.0, "update": 0.05},
}


def walk(executor: ClockedExecutor, budget: float, *, preset: str = "standard") -> Steps:
    spec = make.spec(protocol={"preset": preset}, budget={"minutes": budget / 60})
    return Session(spec, executor, lambda _: (), lambda _: None, 0.0, clock=executor.clock).run()


def outcomes(steps: Steps) -> dict[str, Measured[Any] | NotMeasured]:
    return {name: getattr(steps, name) for name in Steps.model_fields if name != "preflight"}


def measured(steps: Steps) -> set[str]:
    return {name for name, outcome in outcomes(steps).items() if isinstance(outcome, Measured)}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_run_ends_within_a_tenth_of_its_budget(workload: str, budget: float) -> None:
    executor = ClockedExecutor(**WORKLOADS[workload])
    walk(executor, budget)
    assert executor.now + AFTER <= OVERRUN * budget


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_no_work_is_given_until_after_the_end(workload: str, budget: float) -> None:
    executor = ClockedExecutor(**WORKLOADS[workload])
    walk(executor, budget)
    assert max(executor.deadlines) + ENDING + AFTER <= OVERRUN * budget


@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_was_not_measured_says_that_the_budget_ended(workload: str) -> None:
    steps = walk(ClockedExecutor(**WORKLOADS[workload]), 20.0)
    missing = {n: o for n, o in outcomes(steps).items() if isinstance(o, NotMeasured) and n != "treatments"}
    assert all(outcome.reason is Reason.BUDGET for outcome in missing.values()), missing
    assert all("budget" in outcome.because for outcome in missing.values()), missing
    words = scope(make.evidence(steps=steps), Verdict.HEALTHY)
    for name in missing:
        assert name == "fine_search" or f"{WORDS[name]} (the budget ended)" in words


def test_a_slow_model_gets_a_scan_and_a_shortened_run_and_is_told_how_short() -> None:
    steps = walk(ClockedExecutor(**WORKLOADS["a step of 0.3 s"]), 60.0)
    assert {"initial_loss", "overfit", "lr_scan", "curves"} <= measured(steps)
    assert isinstance(steps.curves, Measured)
    assert steps.curves.fraction_of_run < 0.01
    assert "% of one epoch" in scope(make.evidence(steps=steps), Verdict.HEALTHY)


def test_probes_of_a_slow_model_leave_most_of_the_budget_to_the_steps() -> None:
    executor = ClockedExecutor(**(WORKLOADS["a step of 0.3 s"] | {"probe": 10.0}))
    spec = make.spec(budget={"minutes": 40.0 / 60})
    Session(spec, executor, lambda _: (), lambda _: None, 0.0, clock=executor.clock).look()
    assert executor.now < 0.5 * 40.0


def test_a_probe_that_hangs_is_left_out_and_every_step_is_measured() -> None:
    steps = walk(ClockedExecutor(**WORKLOADS["one probe hangs"]), 60.0)
    assert isinstance(steps.preflight.gradient, NotMeasured)
    assert isinstance(steps.preflight.data, Measured)
    assert {"initial_loss", "overfit", "lr_scan", "curves", "coarse_search"} <= measured(steps)


@pytest.mark.parametrize("budget", BUDGETS)
def test_one_step_that_hangs_does_not_eat_a_budget_however_short(budget: float) -> None:
    executor = ClockedExecutor(**WORKLOADS["an untrained model hangs"])
    steps = walk(executor, budget)
    assert executor.ended
    assert {"overfit", "lr_scan", "curves", "coarse_search"} <= measured(steps)


def test_a_hanging_trial_is_given_the_time_that_blames_it_where_there_is_some() -> None:
    executor = ClockedExecutor(**WORKLOADS["training hangs"])
    walk(executor, 600.0)
    trial, waited = next((work, seconds) for work, seconds in executor.ended if isinstance(work, Trial))
    assert trial.max_seconds is not None
    assert waited > limits.TIME_FACTOR * trial.max_seconds + endings.EVALUATION_SECONDS


def test_trials_that_take_twice_as_long_as_they_were_timed_end_themselves_and_are_not_lost() -> None:
    executor = ClockedExecutor(update=0.3, slower=2.0, total_updates=5000)
    steps = walk(executor, 600.0)
    assert executor.cut == []
    assert {"initial_loss", "overfit", "lr_scan", "curves", "coarse_search"} <= measured(steps)


@pytest.mark.slow
def test_a_step_of_a_third_of_a_second_is_diagnosed_within_forty_seconds(tmp_path: Path) -> None:
    mischief.write(tmp_path, model={"kind": "slow", "after": 300}, data={"rows": 2_000})
    done = diagnoser("run", "--budget", "40s", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    diagnosis = json.loads(done.stdout)
    assert diagnosis["run"]["used_seconds"] <= OVERRUN * 40 + BUSY  # what is tested is this very promise
    assert "in what could be seen" in diagnosis["scope"]
    blamed = [name for name, outcome in diagnosis["steps"].items() if outcome.get("reason") == "user_error"]
    assert blamed == []  # code that is slow is not code that fails


@pytest.mark.slow
def test_a_model_that_hangs_in_training_is_ended_within_the_budget(tmp_path: Path) -> None:
    mischief.write(tmp_path, model={"kind": "hangs", "after": 60})
    done = diagnoser("run", "--budget", "40s", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    diagnosis = json.loads(done.stdout)
    assert diagnosis["run"]["used_seconds"] <= OVERRUN * 40 + BUSY
