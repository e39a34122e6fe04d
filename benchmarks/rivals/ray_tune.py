"""Rival: Ray Tune with two CPUs, one for each trial, and the bare loop; Ray is up and warm before the clock.

It is started for each search and ended after it, so that its background processes slow nobody else.
"""

import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from typing import Any

import torch

from benchmarks import bare
from benchmarks.rivals.job import CORES, Block, Job, Search, timed
from benchmarks.workloads import Split

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
QUIET = 0  # Tune's verbosity; it prints a few boxes all the same


@contextmanager
def opened(job: Job) -> Iterator[Search]:
    """Only look whether it is there. Raises ImportError without Ray."""
    import ray
    from ray import tune

    def fit(candidates: tuple[tuple[float, float], ...], *, seed: int, folder: str) -> tuple[float | None, ...]:
        trainable = tune.with_resources(
            tune.with_parameters(_trainable, job=job, seed=seed),
            {"cpu": 1, "gpu": 1 / CORES if job.device != "cpu" else 0},
        )
        tuner = tune.Tuner(
            trainable,
            param_space={"candidate": tune.grid_search(list(candidates))},
            tune_config=tune.TuneConfig(metric="accuracy", mode="max", reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=QUIET),
        )
        found = {tuple(one.config["candidate"]): one.metrics["accuracy"] for one in tuner.fit() if one.metrics}
        return tuple(found.get(candidate) for candidate in candidates)

    def search(seed: int) -> Block:
        ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            with tempfile.TemporaryDirectory(prefix="ray-tune-") as folder, redirect_stdout(io.StringIO()):
                fit(job.candidates[:CORES], seed=seed, folder=folder)  # warm
                return timed(lambda: fit(job.candidates, seed=seed, folder=folder))
        finally:
            ray.shutdown()

    yield search


def _trainable(config: Mapping[str, Any], *, job: Job, seed: int) -> None:
    from ray import tune

    torch.set_num_threads(1)
    lr, decay = config["candidate"]
    accuracy = bare.train(
        job.workload, _data(job), lr=lr, weight_decay=decay, epochs=job.epochs, seed=seed, device=job.device
    )
    tune.report({"accuracy": accuracy})


@cache
def _data(job: Job) -> Split:
    return job.read()
