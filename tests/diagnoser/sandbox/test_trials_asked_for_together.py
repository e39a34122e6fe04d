"""Trials that are asked for together are told one by one, and one that takes its process with it takes no other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from diagnoser.messages import Perform, Result, Work
from diagnoser.records import JsonValue
from diagnoser.sandbox import endings, limits
from diagnoser.sandbox.limits import Machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.sandbox.supervisor import Child
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Trial, TrialResult

TOGETHER = 4
GUILTY = 1  # the second of them
ONE = Machine(cores=1, memory=None)
OUTCOMES = {
    "raise": (Outcome.USER_ERROR, "my own words"),
    "segfault": (Outcome.USER_ERROR, "Segmentation fault"),
    "loop": (Outcome.TIMED_OUT, "still running"),
    "forge": (Outcome.WORKER_LOST, "the answer of the process cannot be read: 1 validation error for Part"),
}
HARMLESS = ("fork", "close", "kill once", "no bell", "ring", "none")
SECONDS = 1.0  # for a trial; TIME_GRACE is shortened below, or a hanging one would take a minute


def trials(kind: str, *, limit: float | None = None) -> list[Work]:
    changes: dict[str, JsonValue] = {"model.args.mischief": kind, "model.args.guilty": GUILTY}
    return [Trial(seed=seed, updates=2, evaluations=0, changes=changes, max_seconds=limit) for seed in range(TOGETHER)]


@dataclass(frozen=True)
class Ran:
    """What became of the trials of every kind."""

    results: dict[str, tuple[Result, ...]]
    told: tuple[int, ...]
    run: int


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory, make_project: Callable[[Path], Path], spec: TrainingSpec
) -> Iterator[Ran]:
    folder = make_project(tmp_path_factory.mktemp("user") / "project")
    kinds = (*OUTCOMES, *HARMLESS)
    work = [trial for kind in kinds for trial in trials(kind, limit=SECONDS if kind == "loop" else None)]
    told: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "TIME_GRACE", 2.0)
        patched.setattr(endings, "EVALUATION_SECONDS", 0.5)
        with LocalExecutor(spec, folder=folder, cache=None, processes=1, machine=ONE) as executor:
            executor.open()
            deadline = time.monotonic() + 500
            results = executor.run(work, deadline=deadline, on_result=lambda index, result: told.append(index))
            by_kind = {kind: results[TOGETHER * place : TOGETHER * (place + 1)] for place, kind in enumerate(kinds)}
            yield Ran(by_kind, tuple(told), executor.trials_run)


@pytest.mark.parametrize("kind", OUTCOMES)
def test_three_results_and_one_error(ran: Ran, kind: str) -> None:
    outcome, words = OUTCOMES[kind]
    results = ran.results[kind]
    guilty = results[GUILTY]
    assert guilty.outcome is outcome
    assert guilty.error is not None
    assert words in guilty.error.message
    others = [result for place, result in enumerate(results) if place != GUILTY]
    assert [result.outcome for result in others] == [Outcome.COMPLETED] * (TOGETHER - 1)


@pytest.mark.parametrize("kind", [*OUTCOMES, *HARMLESS])
def test_the_others_have_the_numbers_that_they_have_without_it(ran: Ran, kind: str) -> None:
    plain = ran.results["none"]
    for place, result in enumerate(ran.results[kind]):
        if place == GUILTY and kind in OUTCOMES:
            continue
        assert isinstance(result, TrialResult)
        expected = plain[place]
        assert isinstance(expected, TrialResult)
        losses = expected.losses[: len(result.losses)]  # one with a limit may have stopped after the first
        assert result.losses == losses
        assert losses


def test_the_line_that_hangs_is_named(ran: Ran) -> None:
    error = ran.results["loop"][GUILTY].error
    assert error is not None
    assert error.kind == "TimedOut"
    assert "misbehave(self.mischief)" in error.traceback


def test_every_result_is_told_once_and_every_trial_counted_once(ran: Ran) -> None:
    together = len(ran.results) * TOGETHER
    assert sorted(ran.told) == list(range(together))
    assert ran.run == together


def test_trials_that_ended_well_are_told_in_their_order(ran: Ran) -> None:
    place = TOGETHER * list(ran.results).index("none")
    own = [index for index in ran.told if place <= index < place + TOGETHER]
    assert own == list(range(place, place + TOGETHER))


def test_a_result_is_told_before_the_last_of_them_has_ended(folder: Path, spec: TrainingSpec) -> None:
    told: list[int] = []

    def on_result(index: int, result: Result) -> None:
        told.append(index)
        (folder / "go").write_text("", encoding="utf-8")  # the second waits for it

    with LocalExecutor(spec, folder=folder, cache=None, processes=1, machine=ONE) as executor:
        executor.open()
        results = executor.run(trials("wait"), deadline=time.monotonic() + 60, on_result=on_result)
        assert sum(one.trials for one in executor.stacks) == TOGETHER  # whatever the way
    assert told == [0, 1, 2, 3]
    assert [result.outcome for result in results] == [Outcome.COMPLETED] * TOGETHER


def test_one_that_takes_all_memory_is_found_by_halving(
    folder: Path, spec: TrainingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int | None]] = []
    perform = Child.perform

    def noted(child: Child, request: Perform) -> None:
        asked.append((len(request.work), request.largest_stack))
        perform(child, request)

    monkeypatch.setattr(Child, "perform", noted)
    machine = Machine(cores=1, memory=1_500_000_000)
    with LocalExecutor(spec, folder=folder, cache=None, machine=machine) as executor:
        executor.open()
        deadline = time.monotonic() + 200
        results = executor.run(trials("memory"), deadline=deadline, on_result=lambda index, result: None)
    guilty = results[GUILTY]
    assert guilty.outcome is Outcome.OUT_OF_MEMORY
    assert guilty.error is not None
    assert "misbehave" in guilty.error.traceback
    assert [result.outcome for result in results].count(Outcome.COMPLETED) == TOGETHER - 1
    # The first ended well at once; then in stacks of two, of one, and each for itself.
    assert asked == [(4, None), (3, 2), (3, 1), (1, 1), (1, 1), (1, 1)]


def test_after_the_deadline_what_had_ended_is_kept(folder: Path, spec: TrainingSpec) -> None:
    with LocalExecutor(spec, folder=folder, cache=None, processes=1, machine=ONE) as executor:
        executor.open()
        results = executor.run(trials("loop"), deadline=time.monotonic() + 8, on_result=lambda index, result: None)
    assert [result.outcome for result in results] == [Outcome.COMPLETED, *[Outcome.TIMED_OUT] * 3]
    hanging, waiting = results[1].error, results[2].error
    assert hanging is not None
    assert "misbehave(self.mischief)" in hanging.traceback
    assert waiting is None


def test_without_stacking_they_are_asked_for_one_by_one(
    folder: Path, spec: TrainingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    perform = Child.perform

    def noted(child: Child, request: Perform) -> None:
        asked.append(len(request.work))
        perform(child, request)

    monkeypatch.setattr(Child, "perform", noted)
    with LocalExecutor(spec, folder=folder, cache=None, processes=1, machine=ONE, stacking=False) as executor:
        executor.open()
        executor.run(trials("none"), deadline=time.monotonic() + 60, on_result=lambda index, result: None)
    assert asked == [1] * TOGETHER
