"""Whatever user code does in a trial is that trial's result, with the user's own lines; the other trials go on."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diagnoser.messages import Result
from diagnoser.sandbox.limits import TIME_FACTOR, TIME_GRACE, Machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Trial, TrialResult

LOOP_SECONDS = 5.0
KINDS = ("raise", "sys.exit", "os._exit", "segfault", "loop", "fork", "print", "close", "kill", "kill once", "none")

OUTCOMES = {
    "raise": (Outcome.USER_ERROR, "ValueError", 'raise ValueError("my own words")'),
    "sys.exit": (Outcome.USER_ERROR, "SystemExit", 'sys.exit("enough")'),
    "os._exit": (Outcome.USER_ERROR, "os._exit", "os._exit(3)"),
    "segfault": (Outcome.USER_ERROR, "Segmentation fault", "ctypes.string_at(0)"),
    "loop": (Outcome.TIMED_OUT, "TimedOut", "misbehave(self.mischief)"),
    "kill": (Outcome.WORKER_LOST, "ProcessEnded", ""),
}


def trial(kind: str) -> Trial:
    # A limit of LOOP_SECONDS in all: the supervisor gives a trial more than its own limit.
    limit = (LOOP_SECONDS - TIME_GRACE) / TIME_FACTOR if kind == "loop" else None
    return Trial(seed=0, updates=2, evaluations=0, changes={"model.args.mischief": kind}, max_seconds=limit)


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, make_project: Callable[[Path], Path], spec: TrainingSpec
) -> tuple[dict[str, Result], str]:
    folder = make_project(tmp_path_factory.mktemp("user") / "project")
    seen: list[int] = []
    with LocalExecutor(spec, folder=folder, cache=None, processes=2) as executor:
        executor.open()
        work = [trial(kind) for kind in KINDS]
        results = executor.run(
            work, deadline=time.monotonic() + 300, on_result=lambda index, result: seen.append(index)
        )
        assert sorted(seen) == list(range(len(KINDS)))
        assert executor.trials_run == len(KINDS)
        return dict(zip(KINDS, results, strict=True)), executor.output()


@pytest.mark.parametrize("kind", OUTCOMES)
def test_its_outcome_names_the_users_own_line(run: tuple[dict[str, Result], str], kind: str) -> None:
    outcome, name, line = OUTCOMES[kind]
    result = run[0][kind]
    assert result.outcome is outcome
    assert result.error is not None
    assert result.error.kind == name
    assert line in result.error.traceback
    assert "diagnoser" not in result.error.traceback


@pytest.mark.parametrize("kind", ["fork", "print", "close", "kill once", "none"])
def test_what_harms_nothing_gives_the_numbers_of_any_other_trial(run: tuple[dict[str, Result], str], kind: str) -> None:
    result, plain = run[0][kind], run[0]["none"]
    assert isinstance(result, TrialResult)
    assert isinstance(plain, TrialResult)
    assert result.outcome is Outcome.COMPLETED
    assert result.losses == plain.losses
    assert len(result.losses) == 2


def test_of_fifty_megabytes_printed_the_first_and_the_last_words_are_kept(run: tuple[dict[str, Result], str]) -> None:
    assert "the first words" in run[1]
    assert "the last words" in run[1]
    assert "bytes are not kept" in run[1]
    assert len(run[1]) < 5_000_000


def test_a_trial_that_takes_all_memory_is_ended_before_the_machine_suffers(folder: Path, spec: TrainingSpec) -> None:
    machine = Machine(cores=1, memory=1_500_000_000)
    with LocalExecutor(spec, folder=folder, cache=None, machine=machine) as executor:
        executor.open()
        work = [trial("memory"), trial("none")]
        greedy, plain = executor.run(work, deadline=time.monotonic() + 120, on_result=lambda index, result: None)
    assert greedy.outcome is Outcome.OUT_OF_MEMORY
    assert greedy.error is not None
    assert "misbehave" in greedy.error.traceback
    assert plain.outcome is Outcome.COMPLETED


def test_what_is_not_done_at_the_deadline_is_timed_out(folder: Path, spec: TrainingSpec) -> None:
    forever = Trial(seed=0, updates=2, evaluations=0, changes={"model.args.mischief": "loop"})
    with LocalExecutor(spec, folder=folder, cache=None, processes=1) as executor:
        executor.open()
        began = time.monotonic()
        running, waiting = executor.run([forever, forever], deadline=began + 5, on_result=lambda index, result: None)
        assert time.monotonic() - began < 20
    assert (running.outcome, waiting.outcome) == (Outcome.TIMED_OUT, Outcome.TIMED_OUT)
    assert running.error is not None
    assert "misbehave(self.mischief)" in running.error.traceback
    assert waiting.error is None
