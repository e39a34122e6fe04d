"""Rival: two processes of one thread, each with the bare loop; started before the clock, and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import Pool

import torch
from torch import multiprocessing

from benchmarks import bare
from benchmarks.rivals.job import CORES, Block, Job, Search, timed
from benchmarks.workloads import Split

_held: list[tuple[Job, Split]] = []
"""What a worker process holds between its trials."""


@contextmanager
def opened(job: Job) -> Iterator[Search]:
    """Start the processes; each reads the data and trains once to be warm."""
    with multiprocessing.get_context("spawn").Pool(CORES, initializer=_begin, initargs=(job,)) as pool:
        pool.map(_train, [(*candidate, 0) for candidate in job.candidates[:CORES]], chunksize=1)
        yield lambda seed: _search(pool, job, seed)


def _search(pool: Pool, job: Job, seed: int) -> Block:
    return timed(lambda: tuple(pool.map(_train, [(*candidate, seed) for candidate in job.candidates], chunksize=1)))


def _begin(job: Job) -> None:
    torch.set_num_threads(1)
    split = job.read()
    _held.append((job, split))
    _train((*job.candidates[0], 0))


def _train(task: tuple[float, float, int]) -> float:
    lr, decay, seed = task
    job, split = _held[0]
    return bare.train(job.workload, split, lr=lr, weight_decay=decay, epochs=job.epochs, seed=seed, device=job.device)
