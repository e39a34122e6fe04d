"""The search benchmark compares what it says it compares, and a rival that is missing costs its own cell only."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import ours, search
from benchmarks.bare import updates_of
from benchmarks.rivals.job import Block, Job, Opener, Search
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parents[2]
JOB = Job(workload=WORKLOADS["digits mlp"], epochs=2)
TRIALS = 16


def block(seconds: float, *, best: float) -> Block:
    return Block(seconds=seconds, accuracies=(best, *[0.1] * (TRIALS - 1)))


def contender(seconds: float, *, best: float = 0.9) -> Opener:
    @contextmanager
    def opened(_job: Job) -> Iterator[Search]:
        yield lambda _seed: block(seconds, best=best)

    return opened


@contextmanager
def absent(_job: Job) -> Iterator[Search]:
    raise ModuleNotFoundError("No module named 'optuna'")
    yield


@contextmanager
def broken(_job: Job) -> Iterator[Search]:
    def fails(_seed: int) -> Block:
        raise RuntimeError("two jobs\nwanted one GPU")

    yield fails


KNOWN = {
    "ours": contender(2.0),
    "ours halving": contender(1.0, best=0.88),
    "sequential": contender(6.0),
    "two processes": contender(3.0),
}


def measured(**more: Opener) -> dict[str, object]:
    return search.measure(JOB, repeats=2, contenders={**KNOWN, **more}, cold=lambda _job: 9.0)


def test_ratios_are_speeds_against_the_bare_loop_and_against_the_fastest_rival() -> None:
    found = measured()
    assert found["ours_over_sequential"] == pytest.approx(3.0)
    assert found["best_rival"] == "two processes"
    assert found["ours_over_best_rival"] == pytest.approx(1.5)
    assert found["halving_over_sequential"] == pytest.approx(6.0)
    assert found["cold_seconds"] == pytest.approx(9.0)


def test_what_halving_misses_of_the_full_grids_best_is_told_in_points() -> None:
    assert measured()["halving_regret_points"] == pytest.approx(2.0)


def test_a_rival_that_is_not_installed_or_fails_is_a_cell_and_no_crash() -> None:
    found = measured(**{"optuna 1 job": absent, "ray tune": broken})
    assert found["failed"] == {"optuna 1 job": "not installed", "ray tune": "failed: RuntimeError: two jobs"}
    assert found["best_rival"] == "two processes"


def test_without_ours_or_the_bare_loop_there_is_no_benchmark() -> None:
    with pytest.raises(RuntimeError, match="two jobs"):
        measured(ours=broken)
    with pytest.raises(ModuleNotFoundError):
        measured(sequential=absent)


def test_the_table_holds_the_goals_against_what_was_measured() -> None:
    found = measured()
    grid, rival, halving = search.lines({**found, "bare_ms_per_update": 1.0})
    assert (grid.goal, grid.is_met) == (">= 2.5", True)
    assert grid.ratio == pytest.approx(3.0)
    assert (rival.rival_name, rival.goal, rival.is_met) == ("two processes (best)", ">= 1", True)
    assert (halving.goal, halving.is_met) == (">= 6", True)
    assert halving.ratio == pytest.approx(6.0)
    assert "regret 2.0 points" in halving.note


def test_a_model_bound_by_arithmetic_is_only_asked_to_be_no_slower_than_anyone() -> None:
    grid, rival, halving = search.lines({**measured(), "bare_ms_per_update": 12.0})
    assert (grid.goal, rival.goal, halving.goal) == (None, ">= 1", None)


def test_on_a_gpu_the_grid_has_a_goal_of_its_own() -> None:
    grid, rival, halving = search.lines({**measured(), "device": "cuda"})
    assert (grid.goal, rival.goal, halving.goal) == (">= 8", ">= 1", None)


@pytest.mark.parametrize("name", WORKLOADS)
def test_our_trials_are_the_rivals_candidates_in_the_same_order(name: str) -> None:
    job = Job(workload=WORKLOADS[name], epochs=2)
    trials = ours.trials_of(job, seed=3, updates=46)
    asked = [(trial.changes["optimizer.lr"], trial.changes["optimizer.weight_decay"]) for trial in trials]
    assert asked == list(job.candidates)
    assert len(set(asked)) == TRIALS
    assert {(trial.seed, trial.updates, trial.evaluations) for trial in trials} == {(3, 46, 1)}


@pytest.mark.parametrize("name", WORKLOADS)
def test_our_spec_says_what_the_bare_loop_does(name: str) -> None:
    workload = WORKLOADS[name]
    spec = ours.spec_of(workload, epochs=2, data_folder="there")
    assert (spec.optimizer.name, spec.optimizer.momentum) == (workload.optimizer, workload.momentum)
    assert (spec.data.batch_size, spec.epochs, spec.device, spec.precision) == (64, 2, "cpu", "float32")
    assert (spec.scheduler, spec.early_stopping, spec.gradient_clip_norm) == (None, None, None)


def test_two_epochs_of_the_digits_are_46_updates() -> None:
    assert updates_of(JOB.read(), epochs=2) == 46  # 1,438 rows, batches of 64, the last one small


@pytest.mark.slow
def test_a_quick_run_gives_the_shape_that_is_promised_and_everyone_trains_the_same() -> None:
    left_out = ["--without", "sequential 2 threads"]  # beside other work it takes minutes
    done = subprocess.run(
        [sys.executable, "benchmarks/search.py", "--quick", "--json", *left_out],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DIAGNOSER_BENCHMARK_DATA"},
        capture_output=True,
        text=True,
        check=True,
        timeout=2400,
    )
    found = json.loads(done.stdout)
    assert {"machine", "versions", "date", "rows", "table", "skipped"} <= set(found)
    assert [one["workload"] for one in found["rows"]] == ["digits mlp", "digits cnn", "digits transformer"]
    for one in found["rows"]:
        seconds, best = one["seconds"], one["best_accuracy"]
        assert {"ours", "ours halving", "sequential", "two processes"} <= set(seconds)
        assert set(seconds) | set(one["failed"]) == {*search.OURS, *search.RIVALS} - {"sequential 2 threads"}
        assert one["ours_over_sequential"] == pytest.approx(seconds["sequential"] / seconds["ours"])
        assert one["ours_over_best_rival"] == pytest.approx(seconds[one["best_rival"]] / seconds["ours"])
        assert one["updates_trained"] == TRIALS * one["updates"], "a trial of ours ended before its time"
        assert best["two processes"] == pytest.approx(best["sequential"])
        assert best["ours"] == pytest.approx(best["sequential"], abs=0.1)  # another data order, 46 updates
    assert len(found["table"]) == 3 * len(found["rows"])
