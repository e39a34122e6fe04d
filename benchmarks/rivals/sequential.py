"""Rival: one trial after the other in this process, with one thread or two."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks import bare
from benchmarks.rivals.job import Block, Job, Search, timed


@contextmanager
def opened(job: Job, *, threads: int) -> Iterator[Search]:
    """Read the data once."""
    split = job.read()

    def train(lr: float, weight_decay: float, *, seed: int) -> float:
        return bare.train(
            job.workload, split, lr=lr, weight_decay=weight_decay, epochs=job.epochs, seed=seed, device=job.device
        )

    def search(seed: int) -> Block:
        with threads_set(threads):
            return timed(lambda: tuple(train(lr, decay, seed=seed) for lr, decay in job.candidates))

    with threads_set(threads):
        train(*job.candidates[0], seed=0)  # warm
    yield search


@contextmanager
def threads_set(threads: int) -> Iterator[None]:
    """Lend torch this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
