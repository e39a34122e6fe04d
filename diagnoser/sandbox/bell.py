"""How does the supervisor hear at once that a child has something to say? The child rings.

Covers: a bell that user code breaks, stops up or rings without end, and file systems that have none: the supervisor
looks every LOOK_EVERY anyway, and after a false ring not sooner than FALSE_RING.
Does not cover: the death of a child, which rings nothing.
"""

import contextlib
import os
import select
from collections.abc import Sequence
from pathlib import Path

LOOK_EVERY = 0.05  # seconds; looks every 20 ms cost 0.6 % of a core, those every 2 ms 3 %
FALSE_RING = 0.001  # seconds
_MOST_RINGS = 4096  # bytes taken at once


class Bell:
    """A FIFO that children may write to."""

    def __init__(self, path: Path) -> None:
        self._end: int | None = None
        with contextlib.suppress(OSError):
            os.mkfifo(path)
            # For writing too: or it would be "hung up", and never silent again, after the first ring.
            self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._end is not None:
            os.close(self._end)
            self._end = None

    @property
    def end(self) -> int | None:
        """The descriptor to listen at; None: there is no bell."""
        return self._end


def wait(bells: Sequence[Bell]) -> bool:
    """Return when a bell rings, at the latest after LOOK_EVERY; tell whether one rang."""
    listening = select.poll()
    for bell in bells:
        if bell.end is not None:
            listening.register(bell.end, select.POLLIN)
    rings = listening.poll(1000 * LOOK_EVERY)
    for end, _ in rings:
        with contextlib.suppress(OSError):
            os.read(end, _MOST_RINGS)
    return bool(rings)
