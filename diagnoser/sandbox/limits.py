"""How many children, how long, how much memory: the limits of one machine.

Covers: CPU affinity and cgroup quotas, memory left on the machine or in the container, time per piece of work.
Does not cover: GPU memory (a CUDA out-of-memory error is raised inside the child and becomes a result), disk written by
the user's own code, memory of processes that the user's code starts, and machines without /proc (their children's
memory is not watched).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diagnoser import host
from diagnoser.trials import Probe, Trial

MAXIMAL_PROCESSES = 4  # beyond it memory bandwidth, not cores, is short (research/performance.md: 2 processes 1.9x)
START_SECONDS = 120.0  # Python and torch from a cold disk on a busy machine; a warm start takes 2
LOAD_SECONDS = 120.0  # the user's imports, data and one model, which will be built dozens of times
TIME_FACTOR, TIME_GRACE = 2.0, 30.0  # a trial ends itself at max_seconds; the rest is for evaluation and a busy machine
MEMORY_SHARE = 0.9  # of what was available at the start: above it the machine's OOM killer would choose, and not wisely
GROWTH = 2.0  # a child may need as much again as it held after loading: activations, gradients, optimizer state


@dataclass(frozen=True)
class Machine:
    """What the children may use."""

    cores: int
    memory: int | None  # bytes available at the start; None: unknown

    @property
    def memory_limit(self) -> int | None:
        """Bytes that all children together may hold."""
        return None if self.memory is None else int(self.memory * MEMORY_SHARE)

    @property
    def processes(self) -> int:
        """How many CPU children at most."""
        return min(self.cores, MAXIMAL_PROCESSES)

    def fitting(self, resident: int | None, *, wanted: int) -> int:
        """Count the children that fit into memory, when one holds `resident` bytes after loading."""
        if self.memory_limit is None or not resident:
            return wanted
        return max(1, min(wanted, int(self.memory_limit / (GROWTH * resident))))


def this_machine() -> Machine:
    """Look at the cores and the memory that this process may use."""
    return Machine(cores=host.cores(), memory=host.available_memory())


def seconds_for(work: Sequence[Trial | Probe]) -> float | None:
    """Give the time after which work that did not end itself is ended; None: only the deadline of the run."""
    limits = [piece.max_seconds for piece in work if piece.max_seconds is not None]
    return TIME_FACTOR * sum(limits) + TIME_GRACE if len(limits) == len(work) else None


def resident_bytes(pid: int) -> int | None:
    """Read how much memory a process holds now; None where this cannot be seen."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
