"""How are the judge and the printer started? As programs, so that a user's own `rules` hides nothing of ours."""

import subprocess
import sys
from typing import Literal

from diagnoser.errors import EngineError

SECONDS = 120  # far beyond what judging or printing takes; a guard against hanging for ever
LAST_LINES = 5


def run(program: Literal["rules", "reports"], *arguments: str, text: str) -> str:
    """Run one of our programs on a text and return what it prints.

    `-E -P`: neither PYTHONPATH nor the current folder is searched. Raises EngineError with its last words.
    """
    command = [sys.executable, "-E", "-P", "-m", program, *arguments]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"`{program}` did not finish within {SECONDS} s") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise EngineError(f"`{program} {' '.join(arguments)}` failed with exit code {done.returncode}:\n{last}")
    return done.stdout
