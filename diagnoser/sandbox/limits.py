"""How many children, how long, how much memory: the limits of one machine.

Covers: CPU affinity and cgroup quotas, memory left on the machine or in the container, time per piece of work.
Does not cover: GPU memory (a CUDA out-of-memory error is raised inside the child and becomes a result), disk written by
the user's own code, memory of processes that the user's code starts, and machines without /proc (their children's
memory is not watched).
"""

import os
from dataclasses import dataclass
from pathlib import Path

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
    return Machine(cores=_cores(), memory=_memory())


def seconds_for(work: Trial | Probe) -> float | None:
    """Give the time after which work that did not end itself is ended; None: only the deadline of the run."""
    return None if work.max_seconds is None else TIME_FACTOR * work.max_seconds + TIME_GRACE


def resident_bytes(pid: int) -> int | None:
    """Read how much memory a process holds now; None where this cannot be seen."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cores() -> int:
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup("cpu.max", "cpu/cpu.cfs_quota_us")
    if quota and quota[0].isdigit():
        period = quota[1] if len(quota) > 1 else (_cgroup("", "cpu/cpu.cfs_period_us") or ["100000"])[0]
        seen = min(seen, max(1, int(quota[0]) // int(period)))
    return max(1, seen)


def _memory() -> int | None:
    """Take the smaller of what the machine has left and what the container may still take."""
    left = [bytes_ for bytes_ in (_machine_memory(), _container_memory()) if bytes_ is not None]
    return min(left, default=None)


def _machine_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024


def _container_memory() -> int | None:
    limit = _cgroup("memory.max", "memory/memory.limit_in_bytes")
    used = _cgroup("memory.current", "memory/memory.usage_in_bytes")
    if not limit or not limit[0].isdigit() or not used:
        return None  # "max": no limit
    return max(0, int(limit[0]) - int(used[0]))


def _cgroup(version_2: str, version_1: str) -> list[str] | None:
    """Read a control file of the container's root group, where containers mount their own."""
    for name in filter(None, (version_2, version_1)):
        try:
            return Path("/sys/fs/cgroup", name).read_text(encoding="ascii").split()
        except OSError:
            continue
    return None
