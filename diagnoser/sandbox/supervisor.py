"""Who starts, watches and ends one child in which user code runs? This file; it never loads torch or user code.

The level `process`: the user's own code on the user's own machine.

Covers: user code that raises, exits, crashes, hangs, forks, prints without end or closes its output; answers that are
no answers, and results that nobody asked for; time; Ctrl-C, which reaches the supervisor alone; a supervisor that is
killed (Linux: the kernel ends the child with it; elsewhere the child notices that its pipe is closed).
Does not cover: hostile code. The child is the same user with the same files, network and environment, it may forge its
own answers, and a process that it started in a session of its own outlives it.
"""

import contextlib
import math
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from diagnoser.errors import EngineError
from diagnoser.messages import (
    ANSWER,
    BELL_FILE,
    FAULTS_FILE,
    PART,
    Done,
    Load,
    Part,
    Perform,
    Spoken,
    Work,
    answer_file,
    part_file,
)
from diagnoser.sandbox import stacks
from diagnoser.sandbox.bell import Bell
from diagnoser.sandbox.limits import START_SECONDS
from diagnoser.sandbox.output import Output
from diagnoser.trials import Trial, TrialResult

PROGRAM = (
    Path(__file__).resolve().parents[1] / "training" / "__main__.py"
)  # by path: no folder is searched for our package
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes; a result with every curve has some 100 KB
GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL
CHUNK = 64 * 1024  # bytes; what a pipe holds

S = TypeVar("S")


@dataclass(frozen=True)
class Ending:
    """How a child ended without an answer."""

    cause: Literal["died", "timed_out", "memory", "garbage"]
    stack: stacks.Stack
    returncode: int | None
    seconds: float  # since the request, or since the last result
    allowed: float  # seconds
    output: str  # the last lines that the user's code printed
    detail: str = ""


class Child:
    """One process. It answers one request at a time; a request for work result by result, and then as a whole."""

    def __init__(self, *, folder: Path, out: Path, environment: Mapping[str, str]) -> None:
        out.mkdir(parents=True)
        self.output = Output()
        self.bell = Bell(out / BELL_FILE)
        self._out = out
        self._number = 0
        self._missing: dict[int, Work] = {}  # what is asked and has no result yet, by its place in the request
        self._parts = 0  # results of this request so far
        self._sent = 0.0
        self._until = math.inf
        self._starts_load_of: float | None = None  # seconds, until the user's code begins
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        # The kernel ends the child when the *thread* that started it ends, so that thread lives as long as the child.
        self._owner = threading.Thread(target=self._own, args=(folder, dict(environment)), daemon=True)
        self._owner.start()
        self._started.wait()
        if self._process is None:
            raise EngineError(f"the process for the user's code could not be started: {self._failure}")

    @property
    def pid(self) -> int:
        return self._running.pid

    def load(self, request: Load) -> None:
        """Ask for the first thing. Its time is counted from when Python and torch are there."""
        self._starts_load_of = request.seconds
        self._send(request, until=time.monotonic() + START_SECONDS)

    def perform(self, request: Perform) -> None:
        """Ask for work."""
        self._send(request, until=request.until)
        self._missing = dict(enumerate(request.work))

    def allow(self, *, until: float) -> None:
        """Count its time anew: it has given a result and goes on."""
        self._sent, self._until = time.monotonic(), until

    def next_number(self) -> int:
        """Number the next request."""
        return self._number + 1

    def look(self) -> Spoken | Part | Ending | None:
        """Take a result or the answer, if there is one; else tell how the child ended, if it did."""
        ended = self._running.poll() is not None  # before the files: it may answer and end
        answered = (self._out / answer_file(self._number)).exists()  # before the results, which are there before it
        if (part := self.next_part()) is not None:
            return part
        if answered:
            self._until = math.inf  # it has nothing to do now
            return self._answer()
        if ended:
            return self._ending("died")
        if self._starts_load_of is not None and (self._out / FAULTS_FILE).exists():
            self._sent, self._until = time.monotonic(), time.monotonic() + self._starts_load_of
            self._starts_load_of = None
        if time.monotonic() > self._until:
            return self.end_for("timed_out")
        return None

    def next_part(self) -> Part | Ending | None:
        """Take the next result, if there is one: of a piece that was asked for, once, and of its kind."""
        file = self._out / part_file(self._number, count=self._parts)
        if not file.exists():
            return None
        part = self._read(file, PART)
        if isinstance(part, Ending):
            return part
        asked = self._missing.get(part.index)
        if asked is None:
            return self._garbage(f"it holds a result {part.index}, which is not missing")
        if isinstance(part.result, TrialResult) is not isinstance(asked, Trial):
            return self._garbage(f"a {type(asked).__name__} was asked for, and it holds a {type(part.result).__name__}")
        self._parts += 1
        del self._missing[part.index]
        return part

    def end_for(self, cause: Literal["timed_out", "memory"]) -> Ending:
        """End it, and tell where it was."""
        if cause == "memory" or self._parts:  # the child writes its stack by itself only before its first result
            self._running.send_signal(signal.SIGABRT)  # faulthandler writes the stack before it lets the process go
            _wait(self._running, GRACE_SECONDS)
        self.end()
        return self._ending(cause)

    def end(self) -> None:
        """End the child and its whole process group."""
        end_all([self])

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def _own(self, folder: Path, environment: dict[str, str]) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), "--folder", str(self._out), "--parent", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        assert self._process.stdout is not None
        with self._process.stdout as printed:
            while chunk := os.read(printed.fileno(), CHUNK):
                self.output.add(chunk)
            self._process.wait()

    def _send(self, request: Load | Perform, *, until: float) -> None:
        self._number, self._until, self._sent = request.number, until, time.monotonic()
        self._missing, self._parts = {}, 0
        for forged in self._out.glob(f"{request.number}.*"):
            _remove(forged)
        assert self._running.stdin is not None
        try:
            self._running.stdin.write(request.model_dump_json().encode() + b"\n")
            self._running.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; `look` says so

    def _answer(self) -> Spoken | Ending:
        answer = self._read(self._out / answer_file(self._number), ANSWER)
        if isinstance(answer, Done) and self._missing and not answer.spent:
            return self._garbage(f"{len(self._missing)} of its results are missing")
        return answer

    def _read(self, file: Path, adapter: TypeAdapter[S]) -> S | Ending:
        try:
            if not stat.S_ISREG(file.lstat().st_mode):  # reading something else may never end
                return self._garbage("it is no file")
            with file.open("rb") as stream:
                content = stream.read(LARGEST_ANSWER + 1)
            if len(content) > LARGEST_ANSWER:
                return self._garbage(f"it has more than {LARGEST_ANSWER:,} bytes")
            return adapter.validate_json(content)
        except (OSError, ValidationError) as error:
            return self._garbage(str(error).splitlines()[0])
        finally:
            _remove(file)

    def _garbage(self, detail: str) -> Ending:
        self.end()
        return self._ending("garbage", detail=detail)

    def _ending(self, cause: Literal["died", "timed_out", "memory", "garbage"], *, detail: str = "") -> Ending:
        self.end()  # what it started may live on
        self._owner.join(timeout=GRACE_SECONDS)  # its last words
        try:
            faults = (self._out / FAULTS_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            faults = ""
        return Ending(
            cause=cause,
            stack=stacks.read(faults),
            returncode=self._running.returncode,
            seconds=time.monotonic() - self._sent,
            allowed=self._until - self._sent,
            output=self.output.tail(lines=10),
            detail=detail,
        )


def end_all(children: list[Child]) -> None:
    """End children side by side: SIGTERM to the process groups, and SIGKILL for whatever is left after a grace."""
    running = [child._running for child in children]  # noqa: SLF001 (one file, one affair)
    for process in running:
        _signal(process, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    for process in running:
        _wait(process, max(0.0, until - time.monotonic()))
    for child, process in zip(children, running, strict=True):
        _signal(process, signal.SIGKILL)
        process.wait()
        child.bell.close()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; macOS says EPERM of a group of zombies
        os.killpg(process.pid, number)  # start_new_session: the group has the child's number


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):  # gone, or a folder: it is read no more anyway
        file.unlink()


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
