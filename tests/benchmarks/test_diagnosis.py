"""What a diagnosis cost is held against the steps that it took, and against those of its plan with nothing saved."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import accounts, diagnosis, in_full
from benchmarks.bare_cost import Cost
from benchmarks.in_full import Kind
from benchmarks.recorded import START, Ran, Recorded, Recording, Stage, Stages
from diagnoser.evidence.outcome import NotMeasured, Reason
from diagnoser.protocol.events import Event
from diagnoser.protocol.session import Session
from diagnoser.protocol.treatment import PAIRS
from diagnoser.trials import Evaluation, Outcome, Trial, TrialResult
from tests.helpers import make
from tests.helpers.toy_executor import ToyExecutor

ROOT = Path(__file__).parents[2]
SPEC = make.spec(epochs=6)
WHOLE = Kind(rows=8000, batch=32)
SMALL = Kind(rows=80, batch=32)
TOTAL = 6 * 250  # epochs times batches of 32 in 8,000 rows


def ran(updates: int | None, *, took: int, rows: int = 8000, **trial: Any) -> Ran:
    result = TrialResult(
        outcome=Outcome.COMPLETED, updates=took, rows_used=rows, batches_per_epoch=-(-rows // 32), seconds=0.01 * took
    )
    return Ran(trial=Trial(**{"seed": 0, "updates": updates, **trial}), result=result)


def stage(name: str, *all_ran: Ran) -> Stage:
    return Stage(name=name, seconds=2.0, in_children=1.5, ran=all_ran)


def planned(*stages: Stage) -> Counter[Kind]:
    return in_full.together(in_full.in_full(stages, SPEC))


def test_steps_that_were_taken_are_told_apart_by_what_they_cost() -> None:
    found = in_full.taken(
        [
            stage("overfit", ran(2000, took=120, rows=80)),
            stage("curves", ran(None, took=TOTAL), ran(None, took=40, changes={"data.batch_size": 64})),
        ],
        SPEC,
    )
    assert found == {SMALL: 120, WHOLE: TOTAL, Kind(rows=8000, batch=64): 40}


def test_a_run_that_ended_early_counts_in_full() -> None:
    assert planned(stage("overfit", ran(2000, took=120, rows=80), ran(2000, took=300, rows=80))) == {SMALL: 4000}
    assert planned(stage("lr_scan", ran(125, took=30), ran(125, took=125))) == {WHOLE: 250}


def test_a_whole_run_has_the_length_that_its_own_spec_says() -> None:
    assert planned(stage("curves", ran(None, took=10))) == {WHOLE: TOTAL}
    assert planned(stage("curves", ran(None, took=10, changes={"epochs": 12}))) == {WHOLE: 2 * TOTAL}
    assert planned(stage("curves", ran(None, took=10, changes={"steps": 77}))) == {WHOLE: 77}
    with_accumulation = ran(None, took=10, changes={"accumulate_batches": 4})
    assert planned(stage("curves", with_accumulation)) == {WHOLE: 6 * 63}


def test_without_halving_every_configuration_of_the_coarse_search_has_the_length_of_the_last_rung() -> None:
    changes = [{"optimizer.lr": 10.0**-n} for n in range(1, 9)]
    first = [ran(156, took=156, changes=one) for one in changes]
    second = [ran(625, took=625, changes=one) for one in changes[:3]]
    assert planned(stage("coarse_search", *first, *second)) == {WHOLE: 8 * 625}


def test_without_a_stop_every_fix_has_all_its_pairs_and_an_untreated_arm_of_its_own() -> None:
    untreated = [ran(None, took=TOTAL, seed=seed) for seed in range(3)]
    hopeless = [ran(None, took=TOTAL, seed=seed, changes={"optimizer.lr": 1.0}) for seed in range(3)]
    longer = [ran(None, took=2 * TOTAL, seed=seed, changes={"epochs": 12}) for seed in range(3)]
    found = in_full.in_full([stage("curves", *untreated), stage("treatments", *hopeless, *longer)], SPEC)
    assert found["curves"] == {WHOLE: 3 * TOTAL}
    assert found["treatments"] == {WHOLE: 2 * PAIRS * (TOTAL + TOTAL + 2 * TOTAL)}


def test_where_no_fix_is_tried_no_untreated_arm_is_counted() -> None:
    assert planned(stage("curves", ran(None, took=TOTAL)), stage("treatments")) == {WHOLE: TOTAL}


def test_limits_of_time_do_not_make_two_arms_of_one() -> None:
    first = [ran(100, took=100, changes={"optimizer.lr": 0.1}, max_seconds=seconds) for seconds in (1.0, 2.0)]
    assert planned(stage("coarse_search", *first)) == {WHOLE: 100}


def recorded(*stages: Stage, **evidence: Any) -> Recorded:
    return Recorded(
        seconds=sum(one.seconds for one in stages),
        processes=2,
        threads_per_process=1,
        stacks=(),
        stages=stages,
        evidence=make.evidence(spec=SPEC, **evidence),
        verdict="healthy",
        findings=(),
    )


def test_a_ratio_is_wall_time_over_the_bare_time_of_the_steps() -> None:
    one = recorded(
        Stage(name=START, seconds=3.0),
        stage("overfit", ran(2000, took=500, rows=80)),
        stage("curves", ran(None, took=TOTAL)),
    )
    found = accounts.account(one, {WHOLE: 0.002, SMALL: 0.001})
    assert found["bare_seconds_taken"] == pytest.approx(0.5 + 3.0)
    assert found["over_taken"] == pytest.approx(7.0 / 3.5)
    assert found["bare_seconds_planned"] == pytest.approx(2.0 + 3.0)
    assert found["over_planned"] == pytest.approx(7.0 / 5.0)
    assert (found["updates_taken"], found["updates_planned"]) == (2000, 3500)
    assert found["cut"] == []


def test_the_breakdown_adds_up_to_the_time_of_all_processes() -> None:
    evaluated = Evaluation(
        updates=100, epoch=0.4, lr=0.1, train_loss=0.1, train_metric=0.9, validation_loss=0.1, validation_metric=0.9
    )
    one = ran(100, took=100)
    one = one.model_copy(update={"result": one.result.model_copy(update={"evaluations": (evaluated, evaluated)})})
    system = make.system_profile(seconds_per_evaluation=0.25)
    found = accounts.account(recorded(stage("lr_scan", one), system=system), {WHOLE: 0.01})["breakdown"][0]
    assert found["training"] == pytest.approx(1.0)
    assert found["evaluations"] == pytest.approx(0.5)
    assert found["outside_children"] == pytest.approx(0.5)
    parts = found["training"] + found["evaluations"] + found["probes"] + found["rest_of_children"]
    assert parts == pytest.approx(2 * 1.5)


def test_what_the_budget_cut_is_told() -> None:
    late = ran(100, took=50)
    late = late.model_copy(update={"result": late.result.model_copy(update={"stopped_by": "time"})})
    because = NotMeasured(reason=Reason.BUDGET, because="the budget left no time for this step")
    found = in_full.cut(recorded(stage("lr_scan", late), stage("curves", ran(100, took=1)), fine_search=because))
    assert len(found) == 3
    assert found[0] == "fine_search: the budget left no time for this step"
    assert found[1] == "lr_scan: 1 trials ran out of time"
    assert found[2].startswith("curves: ")


def test_the_table_has_both_goals_for_mnist_and_none_for_the_demo() -> None:
    one = recorded(stage("curves", ran(None, took=TOTAL)))
    around = {WHOLE: [Cost(wall=wall, processor=0.001) for wall in (0.001, 0.002, 0.009)]}
    found = diagnosis.run(one, around, worked=3.0)
    assert found["bare_seconds_taken"] == pytest.approx(3.0), "the median of the blocks counts"
    assert found["processor_over_taken"] == pytest.approx(2.0)
    row = {"workload": "mnist cnn", diagnosis.ON: found, diagnosis.ALONE: found}
    goals = [line.goal for line in diagnosis.lines(row, has_goals=True)]
    assert goals == ["<= 0.5", None, "<= 1.1"]
    assert [line.goal for line in diagnosis.lines(row, has_goals=False)] == [None, None, None]


def test_of_several_diagnoses_the_one_in_the_middle_counts() -> None:
    runs = [{"over_taken": ratio} for ratio in (3.0, 1.0, 2.0)]
    assert diagnosis.middle(runs, by="over_taken") == {"over_taken": 2.0, "all": [3.0, 1.0, 2.0]}


def test_what_an_executor_does_is_noted_under_the_step_that_asked() -> None:
    stages, toy = Stages(since=0.0), ToyExecutor()
    recording = Recording(toy, stages)
    recording.open()
    trials = [Trial(seed=seed, updates=5) for seed in range(2)]
    results = recording.run(trials, deadline=float("inf"), on_result=lambda _index, _result: None)
    stages.on_event(Event(kind="step_ended", step="lr_scan"))
    stages.on_event(Event(kind="step_ended", step="curves"))
    assert [one.name for one in stages.done] == [START, "lr_scan", "curves"]
    assert [one.trial for one in stages.done[1].ran] == trials
    assert [one.result for one in stages.done[1].ran] == list(results)
    assert stages.done[2].ran == ()


def test_of_a_whole_diagnosis_every_trial_is_accounted_for_and_saving_never_costs_steps() -> None:
    stages, toy = Stages(since=0.0), ToyExecutor()
    spec = make.spec(budget={"minutes": 600})
    Session(spec, Recording(toy, stages), lambda _steps: (), stages.on_event, time.monotonic()).run()
    assert [one.trial for stage in stages.done for one in stage.ran] == toy.given
    full = in_full.in_full(stages.done, spec)
    taken = {stage.name: in_full.taken([stage], spec) for stage in stages.done}
    assert set(full) == set(taken)
    assert all(taken[name] <= full[name] for name in taken if name != "coarse_search")
    rungs = {one.trial.updates for stage in stages.done for one in stage.ran if stage.name == "coarse_search"}
    assert len(rungs) == 2, "the search of a whole diagnosis is halved"
    assert taken["coarse_search"].total() < full["coarse_search"].total()


@pytest.mark.slow
def test_a_quick_run_diagnoses_the_demo_both_ways() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/diagnosis.py", "--quick", "--json"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DIAGNOSER_BENCHMARK_DATA"},
        capture_output=True,
        text=True,
        check=True,
        timeout=1200,
    )
    (row,) = json.loads(done.stdout)["rows"]
    on, alone = row[diagnosis.ON], row[diagnosis.ALONE]
    assert (alone["processes"], alone["threads_per_process"]) == (1, 1)
    assert all(stack["at_once"] == 1 for stack in alone["stacks"])
    assert on["verdict"] == alone["verdict"] == "healthy"
    assert on["cut"] == alone["cut"] == []
    for one in (on, alone):
        assert one["updates_planned"] > one["updates_taken"] > 0
        names = [stage["stage"] for stage in one["breakdown"]]
        assert names[0] == "start"
        assert names[-2:] == ["judging", "printing"]
        assert sum(stage["seconds"] for stage in one["breakdown"]) == pytest.approx(one["seconds"], abs=0.1)
