"""Where was the user's code when its process crashed or was ended? Reads what faulthandler wrote.

The child writes `main <thread id>` first; then faulthandler adds blocks such as

    Fatal Python error: Segmentation fault

    Current thread 0x00007f... (most recent call first):
      File "project.py", line 3 in build_model

and, when user code calls os._exit, the child adds `Exit <code>` before such a block.
"""

import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^(?P<current>Current thread|Thread|Stack of thread) (?P<id>0x[0-9a-f]+)")
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d{1,9}) in (?P<name>.*)$')
_MAIN = re.compile(r"^main (0x[0-9a-f]{1,16})$")
_EXIT = re.compile(r"^Exit (-?\d{1,9})$")
LONGEST = 40  # frames shown: a traceback beyond a screenful hides its own end


@dataclass(frozen=True)
class Stack:
    """The frames of the user's thread in Python's own order and words, without ours."""

    traceback: str  # "" when nothing was written
    crash: str | None  # "Segmentation fault", in faulthandler's words
    exit_code: int | None  # of a call of os._exit


def _everything(_file: str) -> bool:
    """Where the child sees what we see, no line is a secret."""
    return True


def read(text: str, *, shows: Callable[[str], bool] = _everything) -> Stack:
    """Read the child's file of faults; `shows` tells of which files the lines may be shown."""
    main, crash, exit_code = None, None, None
    blocks: list[tuple[bool, str, list[tuple[str, int, str]]]] = []
    for line in text.splitlines():
        if thread := _MAIN.match(line):
            main = int(thread[1], 16)
        elif code := _EXIT.match(line):
            exit_code = int(code[1])
        elif line.startswith("Fatal Python error: "):
            crash = line.removeprefix("Fatal Python error: ")
        elif block := _BLOCK.match(line):
            blocks.append((block["current"] == "Current thread", block["id"], []))
        elif (frame := _FRAME.match(line)) and blocks:
            blocks[-1][2].append((frame["file"], int(frame["line"]), frame["name"]))
    chosen = next((frames for current, _, frames in blocks if current), None)
    if chosen is None:
        chosen = next((frames for _, thread, frames in blocks if int(thread, 16) == main), [])
    return Stack(traceback=_words(chosen, shows=shows), crash=crash, exit_code=exit_code)


def _words(newest_first: list[tuple[str, int, str]], *, shows: Callable[[str], bool]) -> str:
    theirs = [frame for frame in reversed(newest_first) if not _ours(frame[0])]
    theirs = [frame for frame in theirs if frame is theirs[-1] or not _torchs(frame[0])]
    if not theirs:
        return ""
    lines = ["Traceback (most recent call last):"]
    if len(theirs) > LONGEST:
        lines.append(f"  ... {len(theirs) - LONGEST} more frames ...")
    for file, number, name in theirs[-LONGEST:]:
        lines.append(f'  File "{file}", line {number}, in {name}')
        if shows(file) and (source := linecache.getline(file, number).strip()):
            lines.append(f"    {source}")
    return "\n".join(lines)


def _torchs(file: str) -> bool:
    return "/site-packages/torch/" in file  # its calls of calls; the innermost frame stays, wherever it is


def _ours(file: str) -> bool:
    path = Path(file)
    return file.startswith("<frozen") or (path.is_relative_to(ENGINE) and not path.is_relative_to(ENGINE / "demo"))
