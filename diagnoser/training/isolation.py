"""What does the child do to itself before user code runs? Its ends of the pipes, its death, and its last words."""

import contextlib
import ctypes
import faulthandler
import os
import queue
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from diagnoser.messages import BELL_FILE, FAULTS_FILE

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LONGEST_READ = 1024 * 1024  # bytes
_DUMP_BEFORE = 0.1  # share of the allowed time, at most a second, before the end: the stack is written then
_LONGEST_DUMP_BEFORE = 1.0


def die_with(parent: int) -> None:
    """Have the kernel end this process with its parent (Linux; elsewhere the closed pipe of requests does)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def no_core_files() -> None:
    """Leave no gigabytes on the user's disk when native code crashes."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def requests() -> "queue.SimpleQueue[bytes]":
    """Take standard input for ourselves; the user's code finds it empty. The process ends when it is closed."""
    private = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (it is standard input)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        held = b""
        while chunk := os.read(private, _LONGEST_READ):
            *whole, held = (held + chunk).split(b"\n")
            for line in whole:
                lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True, name="requests").start()
    return lines


def ring(out: Path) -> None:
    """Have the supervisor look now. Opened each time: user code may close any descriptor, and get its number."""
    with contextlib.suppress(OSError):  # it looks anyway, only later
        bell = os.open(out / BELL_FILE, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(bell, b"!")
        finally:
            os.close(bell)


class Printing:
    """Standard output and error, which user code may close: a file of ours must never take their numbers."""

    def __init__(self) -> None:
        self._private = os.dup(1)
        self._open()

    def restore(self) -> None:
        """Hand over what was printed, and open again what was closed."""
        for number in (1, 2):
            try:
                os.fstat(number)
            except OSError:
                os.dup2(self._private, number)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):  # closed, or replaced by something else
                self._open()

    def _open(self) -> None:
        # By line, or the last words before a crash are lost.
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115


class LastWords:
    """The file in which the supervisor finds where the user's code was when the process ended."""

    def __init__(self, out: Path) -> None:
        self._pid = os.getpid()
        # Appending: faulthandler writes through the descriptor, and the file is emptied before each request.
        self._file = (out / FAULTS_FILE).open("a", encoding="utf-8")
        faulthandler.enable(file=self._file)
        self._exit = os._exit
        os._exit = self._tell_and_exit

    def before(self, *, until: float) -> None:
        """Forget the last request; write the stack shortly before the supervisor ends this process."""
        self._file.flush()
        os.ftruncate(self._file.fileno(), 0)
        self._file.write(f"main {threading.main_thread().ident:#x}\n")
        self._file.flush()
        if not faulthandler.is_enabled():  # user code may have taken it
            faulthandler.enable(file=self._file)
        left = until - time.monotonic()
        if left < threading.TIMEOUT_MAX:
            early = min(_LONGEST_DUMP_BEFORE, _DUMP_BEFORE * left)
            faulthandler.dump_traceback_later(max(left - early, 0.001), file=self._file)

    def after(self) -> None:
        """Be silent until the next request: after a first result the supervisor, who ends this process, asks itself."""
        faulthandler.cancel_dump_traceback_later()

    def _tell_and_exit(self, status: Any) -> NoReturn:
        if os.getpid() == self._pid:  # processes that were forked from this one end like this every day
            self._file.write(f"Exit {status}\n")
            self._file.flush()
            faulthandler.dump_traceback(file=self._file)
        self._exit(status)
