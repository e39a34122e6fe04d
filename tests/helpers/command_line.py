"""The command line as a user meets it: a process of its own, in a folder of the user's."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def environment(**more: str) -> dict[str, str]:
    """The tests' own environment, with no cache and as wide a terminal as it takes to keep a message on one line."""
    return {**os.environ, "DIAGNOSER_CACHE": "", "COLUMNS": "1000", **more}


def diagnoser(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "diagnoser", *map(str, arguments)],
        cwd=cwd,
        env=environment() if env is None else dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
