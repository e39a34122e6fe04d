"""What is every contender of the search asked to do, and what does it hand back?"""

import itertools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from benchmarks.workloads import Split, Workload

CORES = 2  # that each contender may use, whatever the machine has


@dataclass(frozen=True, kw_only=True)
class Job:
    """A grid of trials of one workload. It crosses to other processes, so it holds no tensor."""

    workload: Workload
    epochs: int
    device: str = "cpu"
    data_folder: str | None = None

    @property
    def candidates(self) -> tuple[tuple[float, float], ...]:
        """Every (lr, weight decay), in the order of the results."""
        return tuple(itertools.product(self.workload.lrs, self.workload.weight_decays))

    def read(self) -> Split:
        """Read the data."""
        return self.workload.read(self.data_folder)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One whole search."""

    seconds: float
    accuracies: tuple[float | None, ...]  # on validation, candidate by candidate; None: dropped on the way
    updates: int | None = None  # trained by all trials together; None: as many as were asked for
    how: str = ""  # how it was run, where that is decided on the way

    @property
    def best(self) -> float:
        return max((one for one in self.accuracies if one is not None), default=0.0)


Search = Callable[[int], Block]
"""Searches once, with a seed."""

Opener = Callable[[Job], AbstractContextManager[Search]]
"""Starts whatever is kept alive between searches: that is not timed."""


def timed(search: Callable[[], tuple[float | None, ...]]) -> Block:
    """Time one search."""
    start = time.perf_counter()
    accuracies = search()
    return Block(seconds=time.perf_counter() - start, accuracies=accuracies)
