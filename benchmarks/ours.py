"""Our contender: the executor of the product, with real child processes, on the full grid or by halving.

The children are opened before the clock, as a diagnosis has them, and nothing is kept from one search to the next.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.bare import updates_of
from benchmarks.rivals.job import CORES, Block, Job, Search, timed
from benchmarks.workloads import BATCH, Workload
from diagnoser.protocol.coarse_search import ETA, FIRST_RUNG
from diagnoser.sandbox.limits import Machine, this_machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.reading import from_mapping
from diagnoser.trials import Outcome, Trial, TrialResult

PROJECT = Path(__file__).resolve().parent  # the user's folder: its `workloads.py` has models and data
LONGEST = 3600.0  # seconds for one search: a deadline that no machine meets by chance
WARM_UPDATES = 3
WARM_FACTOR = 2.0  # of the first child's start: the others start beside one that works, so they take longer


def spec_of(workload: Workload, *, epochs: int, device: str = "cpu", data_folder: str | None = None) -> TrainingSpec:
    """Write the workload as a user's spec."""
    optimizer: dict[str, Any] = {"name": workload.optimizer, "lr": workload.lrs[0]}
    if workload.momentum is not None:
        optimizer["momentum"] = workload.momentum
    spec, _ = from_mapping(
        {
            "name": workload.name,
            "model": {"factory": f"workloads:{workload.model}", "args": {"side": workload.side}},
            "data": {
                "factory": f"workloads:{workload.data}",
                "args": {"folder": data_folder} if workload.data == "mnist" else {},
                "batch_size": BATCH,
            },
            "loss": "cross_entropy",
            "optimizer": optimizer,
            "epochs": epochs,
            "device": device,
        },
        folder=PROJECT,
    )
    return spec


def trials_of(job: Job, *, seed: int, updates: int) -> tuple[Trial, ...]:
    """One trial per candidate, evaluated once, at its end, as the product's searches do."""
    plain = Trial(seed=seed, updates=updates, evaluations=1, only_validated=True)
    return tuple(
        plain.model_copy(update={"changes": {"optimizer.lr": lr, "optimizer.weight_decay": decay}})
        for lr, decay in job.candidates
    )


@contextmanager
def opened(job: Job, *, halving: bool = False, warm: bool = True) -> Iterator[Search]:
    """Start the children, all of them, and train two whole trials in each, as a diagnosis has long done by then."""
    spec = spec_of(job.workload, epochs=job.epochs, device=job.device, data_folder=job.data_folder)
    updates = updates_of(job.read(), epochs=job.epochs)
    seen = this_machine()
    machine = Machine(cores=min(CORES, seen.cores), memory=seen.memory)
    start = time.monotonic()
    with LocalExecutor(spec, folder=PROJECT, cache=None, machine=machine) as executor:
        executor.open()
        until = time.monotonic() + WARM_FACTOR * (time.monotonic() - start)
        while warm and time.monotonic() < until:
            _run(executor, trials_of(job, seed=0, updates=WARM_UPDATES)[: 2 * executor.processes])
        if warm:
            _run(executor, trials_of(job, seed=0, updates=updates)[: 2 * executor.processes])

        trained: list[int] = []

        def grid(seed: int) -> tuple[float | None, ...]:
            results = _run(executor, trials_of(job, seed=seed, updates=updates))
            trained.append(sum(one.updates for one in results))
            return tuple(_accuracy(one) for one in results)

        def by_halving(seed: int) -> tuple[float | None, ...]:
            first = trials_of(job, seed=seed, updates=round(FIRST_RUNG * updates))
            rung = _run(executor, first)
            badness = [_badness(one) for one in rung]
            kept = sorted(range(len(first)), key=lambda index: badness[index])[: len(first) // ETA]
            full = trials_of(job, seed=seed, updates=updates)
            results = dict(zip(kept, _run(executor, [full[index] for index in kept]), strict=True))
            trained.append(sum(one.updates for one in (*rung, *results.values())))
            return tuple(_accuracy(results[index]) if index in results else None for index in range(len(first)))

        def search(seed: int) -> Block:
            before = _stacks(executor)
            block = timed(lambda: by_halving(seed) if halving else grid(seed))
            how = f"{executor.processes} processes of {executor.threads_per_process} threads"
            stacks = (f"{count} trials, {words}" for words, count in (_stacks(executor) - before).items())
            return replace(block, updates=trained[-1], how="; ".join([how, *stacks]))

        yield search


def cold_seconds(job: Job) -> float:
    """Time the full grid with the start of the children, as the first step of a diagnosis pays it."""
    start = time.perf_counter()
    with opened(job, warm=False) as search:
        search(0)
        return time.perf_counter() - start


def _run(executor: LocalExecutor, trials: Sequence[Trial]) -> tuple[TrialResult, ...]:
    results = executor.run(trials, deadline=time.monotonic() + LONGEST, on_result=lambda _index, _result: None)
    return tuple(one for one in results if isinstance(one, TrialResult))


def _accuracy(result: TrialResult) -> float | None:
    """Read the accuracy at the end; a run that diverged has none, and counts as wrong everywhere."""
    if result.outcome is Outcome.DIVERGED:
        return 0.0
    if result.outcome is not Outcome.COMPLETED:
        raise RuntimeError(f"a trial ended as {result.outcome}: {result.error}")
    return result.evaluations[-1].validation_metric


def _badness(result: TrialResult) -> tuple[float, float]:
    """Lower is better, as the product ranks: accuracy, ties broken by the loss."""
    accuracy = _accuracy(result)
    loss = result.evaluations[-1].validation_loss if result.evaluations else None
    return -(accuracy or 0.0), float("inf") if loss is None else loss


def _stacks(executor: LocalExecutor) -> Counter[str]:
    """Count the trials so far by how many were trained at once, and why."""
    return Counter({f"{one.at_once} at once ({one.because})": one.trials for one in executor.stacks})
