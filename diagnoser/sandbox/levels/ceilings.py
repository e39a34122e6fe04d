"""How much may user code take at a level with walls? Limits that the kernel holds, and those that the supervisor does.

Covers: memory of each process (not with CUDA, which reserves addresses by the hundred gigabytes), size of one file,
open files, processes and threads, processor time; size of temporary file systems (`bwrap`) and of the output folder.
Does not cover: GPU memory; memory in /dev/shm at `landlock`; files that were removed, unmapped and are still open only
through another process than the child's.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.limits import Machine
from diagnoser.spec.fields import TrainingSpec

MOST_PROCESSES = 256  # of one child: DataLoader's workers are as many as cores; a fork bomb has them in a tenth second
THREADS = 1024  # beside those there are; torch has a few for each core
THREADS_PER_CORE = 8
OPEN_FILES = 4096  # DataLoader's workers pass each tensor as an open file; 1024 is known to be too few for them
LARGEST_FILE = 1 << 30  # bytes
LARGEST_OUTPUT = 1 << 30  # bytes in the output folder, answers and temporary files together
MOST_FILES = 20_000
LARGEST_TEMPORARY = 1 << 30  # bytes of /tmp and of /dev/shm each: memory that no process is seen to hold
SHARE_OF_MEMORY = 8  # so they are at most an eighth of the machine's
SHORTEST_PROCESSOR_SECONDS = 3600.0
PROCESSOR_FACTOR = 2.0  # the supervisor ends what is late; this ends what it could not see


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """One child's."""

    processes: int = MOST_PROCESSES
    threads: int = THREADS
    open_files: int = OPEN_FILES
    file_bytes: int = LARGEST_FILE
    processor_seconds: int = int(SHORTEST_PROCESSOR_SECONDS)
    data_bytes: int | None = None
    memory_bytes: int | None = None  # that all children together may hold; the supervisor looks
    temporary_bytes: int = LARGEST_TEMPORARY
    output_bytes: int = LARGEST_OUTPUT
    output_files: int = MOST_FILES

    def for_kernel(self, level: Level) -> dict[str, int]:
        """Give the kernel's part, by the names of `resource`."""
        # A user namespace counts its own threads; without one (or before kernel 5.14) all of the user's count.
        there = 0 if level == "bwrap" and _kernel() >= (5, 14) else threads_of_user()
        return {
            "RLIMIT_CORE": 0,
            "RLIMIT_NPROC": there + self.threads,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_CPU": self.processor_seconds,
            **({} if self.data_bytes is None else {"RLIMIT_DATA": self.data_bytes}),
        }


def ceilings_for(spec: TrainingSpec, machine: Machine, *, cuda: bool) -> Ceilings:
    """Give those that fit a spec on a machine."""
    seconds = PROCESSOR_FACTOR * spec.budget.minutes * 60 * machine.cores
    memory = machine.memory_limit
    return Ceilings(
        threads=THREADS + THREADS_PER_CORE * (os.cpu_count() or 1),
        processor_seconds=int(max(SHORTEST_PROCESSOR_SECONDS, seconds)),
        data_bytes=None if cuda else memory,
        memory_bytes=memory,
        temporary_bytes=min(LARGEST_TEMPORARY, (memory or SHARE_OF_MEMORY * LARGEST_TEMPORARY) // SHARE_OF_MEMORY),
    )


def threads_of_user() -> int:
    """Count the threads that this user has on the machine."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == os.getuid():
                count += len(os.listdir(process / "task"))  # noqa: PTH208 (names are enough)
        except OSError:
            continue
    return count


def _kernel() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or 0)
