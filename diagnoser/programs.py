"""How are the judge and the printer started? As programs, so that a user's own `rules` hides nothing of ours."""

import subprocess
import sys
from typing import Literal

from diagnoser.errors import EngineError, UsageError

SECONDS = 120  # far beyond what judging or printing takes; a guard against hanging for ever
LAST_LINES = 5


def run(program: Literal["rules", "reports"], *arguments: str, text: str) -> str:
    """Run one of our programs on a text and return what it prints.

    `-E -P`: neither PYTHONPATH nor the current folder is searched; both sides speak UTF-8 whatever the locale is.
    Raises UsageError where the text is no file of ours, EngineError with the program's last words where it failed.
    """
    command = [sys.executable, "-E", "-P", "-X", "utf8", "-m", program, *arguments]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, encoding="utf-8", timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"`{program}` did not finish within {SECONDS} s") from error
    if done.returncode == UsageError.exit_code:
        raise UsageError(done.stderr.strip().removeprefix(f"{program}: "))
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise EngineError(f"`{program} {' '.join(arguments)}` failed with exit code {done.returncode}:\n{last}")
    return done.stdout
