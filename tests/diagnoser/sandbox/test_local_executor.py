"""Results do not depend on who measured them, or when; and nothing is measured twice."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from diagnoser.evidence.evidence import Environment
from diagnoser.messages import Result, Work
from diagnoser.sandbox.limits import Machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Probe, ProbeKind, Trial, TrialResult

TRIALS = tuple(Trial(seed=seed, updates=3, evaluations=0) for seed in range(3))
ONE_THREAD = Machine(cores=1, memory=None)


@dataclass(frozen=True)
class Measured:
    """What one executor did."""

    results: tuple[Result, ...]
    order: tuple[int, ...]
    environment: Environment
    processes: int
    run: int
    from_cache: int


def measure(
    spec: TrainingSpec, folder: Path, *, cache: Path | None = None, processes: int = 1, work: tuple[Work, ...] = TRIALS
) -> Measured:
    order: list[int] = []
    with LocalExecutor(spec, folder=folder, cache=cache, processes=processes, machine=ONE_THREAD) as executor:
        environment = executor.open()
        results = executor.run(
            work, deadline=time.monotonic() + 120, on_result=lambda index, result: order.append(index)
        )
        run, from_cache = executor.trials_run, executor.trials_from_cache
    return Measured(results, tuple(order), environment, executor.processes, run, from_cache)


def numbers(results: tuple[Result, ...]) -> list[str]:
    assert all(isinstance(result, TrialResult) for result in results)
    return [result.model_dump_json(exclude={"seconds", "peak_memory_mb"}) for result in results]


def test_two_children_measure_what_one_measures_and_the_cost_of_a_step_alone(folder: Path, spec: TrainingSpec) -> None:
    alone = measure(spec, folder)
    together = measure(spec, folder, processes=2, work=(Probe(probe=ProbeKind.SYSTEM), *TRIALS))
    assert together.processes == 2
    assert together.order[-1] == 0  # the probe waits until nothing else runs
    assert numbers(together.results[1:]) == numbers(alone.results)
    assert len(set(numbers(alone.results))) == len(TRIALS)  # different seeds, different numbers


def test_an_interrupted_run_goes_on_where_it_was(folder: Path, spec: TrainingSpec, tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def interrupt(index: int, result: Result) -> None:
        if index == 1:
            raise KeyboardInterrupt

    with LocalExecutor(spec, folder=folder, cache=cache, processes=1, machine=ONE_THREAD) as executor:
        environment = executor.open()
        with pytest.raises(KeyboardInterrupt):
            executor.run(TRIALS, deadline=time.monotonic() + 120, on_result=interrupt)

    # What the numbers rest on: nothing that nobody imports, and no package of ours.
    assert environment.source.files == ("project.py", "rules.py")
    assert {"torch", "numpy"} <= set(environment.packages)
    assert "pydantic" not in environment.packages

    (folder / "notes.py").write_text("# nobody imports this, and now it says something else\n", encoding="utf-8")
    resumed = measure(spec.model_copy(update={"name": "renamed"}), folder, cache=cache)
    assert (resumed.from_cache, resumed.run) == (2, 1)

    (folder / "rules.py").write_text("SEED = 0\nIMPORTED = True\n", encoding="utf-8")
    again = measure(spec, folder, cache=cache)
    assert (again.from_cache, again.run) == (0, 3)
    assert numbers(again.results) == numbers(resumed.results)


def test_a_file_that_is_imported_only_while_training_counts_too(
    folder: Path, spec: TrainingSpec, tmp_path: Path
) -> None:
    work = [Trial(seed=0, updates=1, evaluations=0, changes={"model.args.mischief": "late import"})]
    with LocalExecutor(spec, folder=folder, cache=tmp_path / "cache", processes=1) as executor:
        executor.open()

        def runs() -> tuple[int, int]:
            executor.run(work, deadline=time.monotonic() + 120, on_result=lambda index, result: None)
            return executor.trials_run, executor.trials_from_cache

        assert runs() == (1, 0)
        assert runs() == (1, 1)
        (folder / "late.py").write_text("CHANGED = True\n", encoding="utf-8")
        assert runs() == (2, 1)
