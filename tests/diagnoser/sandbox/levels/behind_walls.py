"""Walls with small limits, and the way to start a program of a few lines behind them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from diagnoser.sandbox import tree
from diagnoser.sandbox.levels.ceilings import Ceilings
from diagnoser.sandbox.levels.commands import Walls
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.levels.seen import LANGUAGE, Seen, python_and_packages
from diagnoser.sandbox.supervisor import Child

ORDINARY_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
"""Before a command, when root runs the tests: to itself and to Landlock it is somebody else, with root's files."""

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the levels with walls are Linux's")


def as_ordinary_user(test_file: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a file again, as somebody who is not root."""
    return subprocess.run(
        [*ORDINARY_USER, sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", test_file],
        capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip


def walls(level: Level, folder: Path, **ceilings: int) -> Walls:
    seen = Seen(folder=folder, data=(), python=python_and_packages(), variables=LANGUAGE, cuda=False)
    return Walls(level=level, seen=seen, ceilings=Ceilings(**ceilings))


Start = Callable[..., Child]


PATIENCE = 120.0  # seconds: on a busy machine a start takes long; nothing here rests on how long


def until(happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def printed(child: Child, *, lines: int | None = None) -> list[str]:
    """Wait for so many lines, or for the end of the program."""
    assert until(
        lambda: child._running.poll() is not None if lines is None else len(child.output.text().splitlines()) >= lines
    ), child.output.text()
    if lines is None:
        child._owner.join()
    return child.output.text().splitlines()


def gone(numbers: Iterable[int]) -> bool:
    return until(lambda: not any(Path(f"/proc/{number}").exists() for number in numbers))


def family(child: Child) -> tuple[int, ...]:
    return (child.pid, *tree.descendants(child.pid, most=100_000))
