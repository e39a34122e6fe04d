"""Step 3 of the protocol alone, as the product runs it: children that are warm, its own plan and reading, no cache."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.lr_problems import Problem
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.evidence.steps import LrScan, Steps
from diagnoser.protocol import lr_scan, preflight
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.executor import Executor
from diagnoser.protocol.session import unmeasured
from diagnoser.protocol.so_far import Done
from diagnoser.sandbox.limits import this_machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.reading import from_mapping
from diagnoser.trials import Trial, TrialResult

FOLDER = Path(__file__).resolve().parent  # the user's: its `lr_problems.py` has models and data
ENOUGH_SECONDS = 600.0  # the budget is not what is measured here


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """One walk through step 3."""

    seconds: float  # from the first plan to the reading
    done: Done
    read: LrScan

    @property
    def trainings(self) -> list[tuple[float, int]]:
        """Learning rate and updates of each trial."""
        return [(float(str(trial.changes["optimizer.lr"])), result.updates) for trial, result in self.done]

    @property
    def steps(self) -> int:
        """Optimizer updates of all trials."""
        return sum(updates for _, updates in self.trainings)


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """An executor whose children have loaded the problem, and what the first probes said."""

    spec: TrainingSpec
    executor: Executor
    so_far: Steps

    def scan(self, seed: int) -> Scanned:
        """Plan, run and read, as the session does."""
        spec = self.spec.model_copy(update={"seed": seed})
        start = time.perf_counter()
        done: Done = ()
        while trials := lr_scan.plan(spec, self.so_far, done, allowance=self._allowance()):
            results = self.executor.run(trials, deadline=time.monotonic() + ENOUGH_SECONDS, on_result=_ignore)
            pairs = zip(trials, results, strict=True)
            done += tuple((trial, result) for trial, result in pairs if isinstance(result, TrialResult))
        read = lr_scan.read(spec, self.so_far, done)
        return Scanned(seconds=time.perf_counter() - start, done=done, read=read)

    def _allowance(self) -> Allowance:
        system = known.value(self.so_far.preflight.system)
        assert system is not None, "nothing was timed"
        return Allowance(
            seconds=ENOUGH_SECONDS,
            processes=self.executor.processes,
            seconds_per_update=system.seconds_per_update,
            seconds_per_evaluation=system.seconds_per_evaluation,
            seconds_to_build=system.seconds_to_build,
        )


@contextmanager
def opened(problem: Problem, *, processes: int) -> Iterator[Scanner]:
    """Start `processes` children of one thread each, and do all that step 3 finds done: the first two probes."""
    spec, _ = from_mapping(problem.mapping(), folder=FOLDER)
    machine = replace(this_machine(), cores=processes)
    with LocalExecutor(spec, folder=FOLDER, cache=None, processes=processes, machine=machine) as executor:
        executor.open()
        scanner = prepared(spec, executor)
        warm = tuple(Trial(seed=seed, updates=20) for seed in range(4 * processes))  # so many that all children start
        executor.run(warm, deadline=time.monotonic() + ENOUGH_SECONDS, on_result=_ignore)
        yield scanner


def prepared(spec: TrainingSpec, executor: Executor) -> Scanner:
    """Ask what a scan needs to know, as the session does in its step 0."""
    probes = preflight.plan(spec, preflight.FIRST, allowance=Allowance(seconds=ENOUGH_SECONDS))
    results = executor.run(probes, deadline=time.monotonic() + ENOUGH_SECONDS, on_result=_ignore)
    answers = tuple(result for result in results if isinstance(result, ProbeResult))
    preflight.raise_for_user_code(probes, answers)
    steps = unmeasured()
    so_far = steps.model_copy(update={"preflight": preflight.read(steps.preflight, probes, answers)})
    return Scanner(spec=spec, executor=executor, so_far=so_far)


def _ignore(_index: int, _result: object) -> None:
    """Nobody watches."""
