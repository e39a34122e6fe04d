"""What did the user's code print? The first and the last of it, however much there was."""

import threading
from collections import deque

KEPT = 512 * 1024  # bytes at each end: imports and warnings at the start, the last words before a crash at the end


class Output:
    """Takes any amount of bytes, holds at most twice `kept`; never on disk. Written by one thread, read by others."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._first = bytearray()
        self._last: deque[bytes] = deque()
        self._held = 0  # bytes in _last
        self._cut = 0
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        """Take what was printed."""
        with self._lock:
            room = self._kept - len(self._first)
            self._first += chunk[:room] if room > 0 else b""
            rest = chunk[max(room, 0) :]
            if not rest:
                return
            self._last.append(rest)
            self._held += len(rest)
            while self._held - len(self._last[0]) >= self._kept:
                dropped = len(self._last.popleft())
                self._held -= dropped
                self._cut += dropped

    def text(self) -> str:
        """Give it as text, with a line that says what is missing."""
        with self._lock:
            first, last, cut = bytes(self._first), b"".join(self._last), self._cut
        missing = f"\n... {cut:,} bytes are not kept ...\n".encode() if cut else b""
        return (first + missing + last).decode("utf-8", "replace")

    def tail(self, *, lines: int) -> str:
        """Give the last few lines."""
        return "\n".join(self.text().splitlines()[-lines:])
