"""The walls go up, and then the child's program begins: `python -I -S enter.py WALLS -- PROGRAM...`.

Runs before torch and before anything of the user's, imports nothing but the standard library, and is the way into every
level but `process`. WALLS is a JSON object (`commands.py` writes it). PROGRAM gets one more argument pair at its end,
`--parent` and the number of its parent.

At `landlock` there is no namespace that would end with its first process. So this one stays, outside the walls, as the
keeper of those inside: whoever loses a parent becomes its child, and when the program or the supervisor goes, it ends
them all.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

FAILURE = "the walls of the sandbox could not be put up"
FAILED = 125  # exit code when the walls could not be put up: the program never began
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> NoReturn:
    """Put the walls up and become the program."""
    walls, program = json.loads(arguments[0]), arguments[arguments.index("--") + 1 :]
    if not walls["keep"]:
        _die_with_parent(signal.SIGKILL)
        _enter(walls, program)
    # Only what keeps is killed with the supervisor, and it takes the rest with it.
    _die_with_parent(signal.SIGTERM)
    if os.getppid() != int(walls["supervisor"]):
        os._exit(FAILED)
    signal.signal(signal.SIGTERM, _told_to_end)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    first = os.fork()
    if first == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with_parent(signal.SIGKILL)
        _enter(walls, program)
    _forget_the_pipes()
    code = FAILED
    try:
        code = _wait_for(first)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_everyone()
        os._exit(code)


def _enter(walls: dict[str, Any], program: list[str]) -> NoReturn:
    from diagnoser.sandbox.levels import landlock, seccomp

    try:
        for name, most in walls["limits"].items():
            _limit(getattr(resource, name), most)
        landlock.no_new_privileges()
        if walls["landlock"] is not None:
            if os.geteuid() == 0:
                raise OSError("Landlock does not hold root")
            landlock.restrict(**walls["landlock"])
        seccomp.refuse(families=walls["families"], change_modes=walls["landlock"] is None)
        os.execv(program[0], [*program, "--parent", str(os.getppid())])  # noqa: S606 (no shell is meant)
    except OSError as error:
        sys.stderr.write(f"{FAILURE}: {error}\n")
        sys.stderr.flush()
        os._exit(FAILED)


def end_everyone() -> None:
    """Kill every descendant, and those that they start meanwhile, until there is none."""
    while True:
        for number in _descendants():
            try:
                os.kill(number, signal.SIGKILL)
            except OSError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return


def _descendants() -> list[int]:
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (names are enough)
        if name.isdigit():
            try:
                after = Path("/proc", name, "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
            except OSError:
                continue
            parents[int(name)] = int(after.split()[1])
    found, more = {os.getpid()}, True
    while more:
        new = {number for number, parent in parents.items() if parent in found} - found
        found |= new
        more = bool(new)
    return [number for number in found if number != os.getpid()]


def _wait_for(first: int) -> int:
    """Take those that ended, until the program is among them; its exit code in the words of a shell."""
    while True:
        number, status = os.wait()
        if number == first:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _told_to_end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _forget_the_pipes() -> None:
    """Hold none of the ends that the supervisor waits at."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def _die_with_parent(number: signal.Signals) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))  # behind everything: it brings our package and no other
    main(sys.argv[1:])
