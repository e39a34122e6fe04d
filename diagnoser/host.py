"""How many cores and how much memory may this process use? Read from Linux's files; elsewhere less is known.

Covers: CPU affinity, quotas and memory limits of cgroups. Does not cover: GPUs, which only torch knows.
"""

import os
from pathlib import Path


def cores() -> int:
    """Count the cores that this process may use, within its affinity and its container's quota."""
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup("cpu.max", "cpu/cpu.cfs_quota_us")
    if quota and quota[0].isdigit():
        period = quota[1] if len(quota) > 1 else (_cgroup("", "cpu/cpu.cfs_period_us") or ["100000"])[0]
        seen = min(seen, max(1, int(quota[0]) // int(period)))
    return max(1, seen)


def available_memory() -> int | None:
    """Return what the machine has left, or what the container may still take if that is less; bytes."""
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
