"""How is a program started behind the walls of a level? The same way for the child, the canary and a measurement."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnoser.sandbox.levels import bwrap
from diagnoser.sandbox.levels.ceilings import Ceilings
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.levels.seen import Seen

ENTER = Path(__file__).resolve().parent / "enter.py"
TEMPORARY = "tmp"  # in the output folder, at a level that has no file system of its own
OWN_LOOPBACK = ("AF_UNIX", "AF_INET", "AF_INET6")  # in a network of its own; never AF_VSOCK, which is in none
NO_NETWORK = ("AF_UNIX",)
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", *bwrap.SYSTEM_FILES, *bwrap.PROCESSORS)
PROCESSES = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys")  # not those of others
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full")
SHARED = "/dev/shm"  # noqa: S108 (DataLoader's workers hand tensors over in it)


@dataclass(frozen=True, kw_only=True)
class Walls:
    """A level with what it lets through; none are built at `process`."""

    level: Level
    seen: Seen
    ceilings: Ceilings


@dataclass(frozen=True)
class Command:
    """What to start, with which variables and where."""

    arguments: list[str]
    environment: dict[str, str]
    folder: Path


def command(
    walls: Walls, *, out: Path, program: Sequence[str], environment: Mapping[str, str], supervisor: str | None = None
) -> Command:
    """Say how to start a program whose only folder to write to is `out`, which is there.

    `supervisor` is the number of the process that will start it; None: this one.
    The launcher has the program's own variables and no others, for whoever is inside can read them.
    """
    temporary = "/tmp" if walls.level == "bwrap" else str(out / TEMPORARY)  # noqa: S108
    if walls.level == "landlock":
        (out / TEMPORARY).mkdir()
    said = {**_walls(walls, out=out), "supervisor": supervisor or str(os.getpid())}
    entered = [sys.executable, "-I", "-S", str(ENTER), json.dumps(said), "--", *program]
    if walls.level == "bwrap":
        entered = bwrap.arguments(walls.seen, walls.ceilings, out=out, command=entered)
    return Command(entered, {**environment, "HOME": temporary, "TMPDIR": temporary}, walls.seen.folder)


def _walls(walls: Walls, *, out: Path) -> dict[str, Any]:
    is_landlock = walls.level == "landlock"
    return {
        "keep": is_landlock,
        "limits": walls.ceilings.for_kernel(walls.level),
        "families": NO_NETWORK if is_landlock else OWN_LOOPBACK,
        "landlock": _landlock(walls.seen, out=out) if is_landlock else None,
    }


def _landlock(seen: Seen, *, out: Path) -> dict[str, list[str]]:
    gpus = bwrap.nvidia_devices() if seen.cuda else ()
    return {
        "read": [*SYSTEM, *PROCESSES, *(["/proc/driver/nvidia"] if seen.cuda else []), *map(str, seen.read_only)],
        "write": [str(out)],
        "devices": [*DEVICES, *gpus],
        "shared": [SHARED],
    }
