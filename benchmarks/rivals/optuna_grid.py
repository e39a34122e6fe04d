"""Rival: Optuna's GridSampler round the bare loop, with one job or two (threads of this process)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks import bare
from benchmarks.rivals.job import Block, Job, Search, timed
from benchmarks.rivals.sequential import threads_set


@contextmanager
def opened(job: Job, *, jobs: int) -> Iterator[Search]:
    """Read the data once. Raises ImportError without Optuna.

    Two jobs share torch's random state, so their accuracies differ from a lone run's by chance.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    split = job.read()
    space = {"lr": list(job.workload.lrs), "weight_decay": list(job.workload.weight_decays)}

    def search(seed: int) -> Block:
        found: dict[tuple[float, float], float] = {}

        def objective(trial: optuna.Trial) -> float:
            torch.set_num_threads(1)  # in the thread of this job
            lr = trial.suggest_float("lr", min(space["lr"]), max(space["lr"]))
            decay = trial.suggest_float("weight_decay", min(space["weight_decay"]), max(space["weight_decay"]))
            found[lr, decay] = bare.train(
                job.workload, split, lr=lr, weight_decay=decay, epochs=job.epochs, seed=seed, device=job.device
            )
            return found[lr, decay]

        def optimise() -> tuple[float | None, ...]:
            study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GridSampler(space, seed=seed))
            study.optimize(objective, n_trials=len(job.candidates), n_jobs=jobs)
            return tuple(found.get(candidate) for candidate in job.candidates)

        with threads_set(1):
            return timed(optimise)

    with threads_set(1):
        lr, decay = job.candidates[0]
        bare.train(job.workload, split, lr=lr, weight_decay=decay, epochs=job.epochs, seed=0, device=job.device)  # warm
    yield search
