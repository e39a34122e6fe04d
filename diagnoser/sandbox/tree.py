"""What became of a process that was started: who descends from it, and how much memory do they hold together?

At `bwrap` and `landlock` the user's program is not the process that was started but a descendant of it, which stays one
whatever it does: bubblewrap's first process and our keeper take in everybody who loses a parent.
Covers: processes that user code started, in sessions of their own too. Does not cover: systems without /proc.
"""

import os
from collections import deque
from pathlib import Path

from diagnoser.sandbox.limits import resident_bytes


def descendants(pid: int, *, most: int) -> tuple[int, ...]:
    """List at most so many, those nearest to `pid` first."""
    found: list[int] = []
    waiting = deque([pid])
    while waiting and len(found) < most:
        children = _children(waiting.popleft())
        found += children
        waiting += children
    return tuple(found[:most])


def program(pid: int, *, depth: int) -> int | None:
    """Find the user's program, `depth` below what was started: the first child of the first child."""
    for _ in range(depth):
        children = _children(pid)
        if not children:
            return None
        pid = children[0]
    return pid


def held_bytes(pid: int, *, most: int, exact_above: int) -> int:
    """Add up the memory of a process and its descendants; what they share counts once where it matters.

    Below `exact_above` it may count more than once: to know better, the kernel looks at every page of every process.
    """
    everyone = (pid, *descendants(pid, most=most))
    resident = {one: resident_bytes(one) or 0 for one in everyone}
    if sum(resident.values()) <= exact_above:
        return sum(resident.values())
    return sum(_proportional_bytes(one) or size for one, size in resident.items())


def _children(pid: int) -> list[int]:
    """List them in the order in which they came, as the kernel does for each thread."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (names are enough)
            found += [int(number) for number in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()]
    except OSError:  # it has gone
        return found
    return found


def _proportional_bytes(pid: int) -> int | None:
    """Count a page that five forked workers share as a fifth for each; None where this cannot be seen."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)
