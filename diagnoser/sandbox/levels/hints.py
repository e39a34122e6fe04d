"""Why does code that runs elsewhere not run behind walls? A sentence more, where the level is likely the reason."""

import re

from diagnoser.messages import Result
from diagnoser.sandbox.levels.commands import Walls

_WRITING = re.compile(r"Read-only file system|Permission denied|Operation not permitted")
_LOOKING = re.compile(r"No such file or directory|No module named|is not a directory|does not exist")
_NETWORK = re.compile(r"Name or service not known|name resolution|Network is unreachable|Address family not supported")
_FULL = re.compile(r"No space left on device|File too large|Cannot allocate memory|can't allocate memory")


def hint(message: str, walls: Walls) -> str:
    """Say what the level has to do with it; nothing when it has not."""
    level = f"--sandbox {walls.level}"
    if _WRITING.search(message):
        return f" [{level}: your code may write only to the folder that os.environ['TMPDIR'] names]"
    if _LOOKING.search(message):
        return f" [{level}: your code sees its own folder, installed packages, and the folders in `data.paths`]"
    if _NETWORK.search(message):
        return f" [{level}: there is no network; name downloaded data in `data.paths`]"
    if _FULL.search(message):
        return f" [{level}: memory, files and temporary folders have limits; see docs/isolation.md]"
    return ""


def explained(result: Result, walls: Walls | None) -> Result:
    """Give a result whose error says what the level has to do with it."""
    if walls is None or result.error is None or not (more := hint(result.error.message, walls)):
        return result
    error = result.error.model_copy(update={"message": result.error.message + more})
    return result.model_copy(update={"error": error})
