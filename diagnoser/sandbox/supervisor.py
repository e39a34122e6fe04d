"""Who starts, watches and ends one child in which user code runs? This file; it never loads torch or user code.

Covers: user code that raises, exits, crashes, hangs, forks, prints without end or closes its output; answers that are
no answers, and results that nobody asked for; time; Ctrl-C, which reaches the supervisor alone; a supervisor that is
killed (Linux: the kernel ends the child with it; elsewhere the child notices that its pipe is closed).
Does not cover, without walls (the level `process`): hostile code. The child is the same user with the same files,
network and environment, and a process that it started in a session of its own outlives it. At every level it may forge
its own answers, which are read as a stranger's.
"""

import contextlib
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter

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
from diagnoser.sandbox import hostile_files, stacks, tree
from diagnoser.sandbox.bell import Bell
from diagnoser.sandbox.forged import ForgedError, understand
from diagnoser.sandbox.levels.commands import Command, Walls, command
from diagnoser.sandbox.limits import START_SECONDS, resident_bytes
from diagnoser.sandbox.output import Output
from diagnoser.trials import Trial, TrialResult

PROGRAM = (
    Path(__file__).resolve().parents[1] / "training" / "__main__.py"
)  # by path: no folder is searched for our package
LARGEST_ANSWER = 16 * 1024 * 1024  # bytes; a result with every curve has some 100 KB
LARGEST_STACK = 1024 * 1024  # bytes of faulthandler's words; a hundred threads have some 100 KB
GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL
KEEPER_SECONDS = 10.0  # the same behind walls, where the first process ends all others, a fork bomb among them
CHUNK = 64 * 1024  # bytes; what a pipe holds
LOOK_AGAIN = 1.0  # seconds between looks at a pipe that is full
MANY = 8  # children: while none of so many has an eighth of the memory limit, all together are below it
SIGNALLED = 128  # how bubblewrap and shells say that a signal ended a program: this plus its number
DEPTH = {"bwrap": 2, "landlock": 1}  # how far below what was started the user's program is

S = TypeVar("S", Part, Spoken)
Cause = Literal["died", "timed_out", "memory", "garbage", "processes", "disk"]


@dataclass(frozen=True)
class Ending:
    """How a child ended without an answer."""

    cause: Cause
    stack: stacks.Stack
    returncode: int | None
    seconds: float  # since the request, or since the last result
    allowed: float  # seconds
    output: str  # the last lines that the user's code printed
    detail: str = ""


class Child:
    """One process. It answers one request at a time; a request for work result by result, and then as a whole."""

    def __init__(self, *, folder: Path, out: Path, environment: Mapping[str, str], walls: Walls | None = None) -> None:
        out.mkdir(parents=True)
        self.walls = walls
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
        start = self._command(folder, environment)
        self._owner = threading.Thread(target=self._own, args=(start,), daemon=True)
        self._owner.start()
        self._started.wait()
        if self._process is None:
            raise EngineError(f"the process for the user's code could not be started: {self._failure}")

    @property
    def pid(self) -> int:
        """The process that was started; behind walls the user's program is a descendant of it."""
        return self._running.pid

    def held_bytes(self) -> int | None:
        """How much memory it holds now; behind walls with all that it started."""
        if self.walls is None:
            return resident_bytes(self.pid)
        ceilings = self.walls.ceilings
        return tree.held_bytes(self.pid, most=ceilings.processes, exact_above=(ceilings.memory_bytes or 0) // MANY)

    def overstepped(self) -> Cause | None:
        """Which limit it has passed of those that the supervisor holds; there are none without walls."""
        if self.walls is None:
            return None
        ceilings = self.walls.ceilings
        family = tree.descendants(self.pid, most=ceilings.processes + 1)
        if len(family) > ceilings.processes:
            return "processes"
        size = hostile_files.size(self._out, most_files=ceilings.output_files, processes=family)
        is_full = size.files > ceilings.output_files or size.bytes > ceilings.output_bytes or not size.is_whole
        return "disk" if is_full else None

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

    def end_for(self, cause: Cause) -> Ending:
        """End it, and tell where it was."""
        if cause != "timed_out" or self._parts:  # the child writes its stack by itself only before its first result
            self._abort()  # faulthandler writes the stack before it lets the process go
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

    def _command(self, folder: Path, environment: Mapping[str, str]) -> Command:
        program = [sys.executable, "-P", str(PROGRAM), "--folder", str(self._out)]
        if self.walls is not None:
            return command(self.walls, out=self._out, program=program, environment=environment)
        return Command([*program, "--parent", str(os.getpid())], dict(environment), folder)

    def _abort(self) -> None:
        number = self.pid if self.walls is None else tree.program(self.pid, depth=DEPTH[self.walls.level])
        if number is not None and self._running.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGABRT)

    def _own(self, start: Command) -> None:
        try:
            self._process = subprocess.Popen(
                start.arguments,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=start.folder,
                env=start.environment,
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
        if not _written(self._running.stdin.fileno(), request.model_dump_json().encode() + b"\n"):
            self.end()  # it has not read for minutes, and is not to keep us; `look` says that it died

    def _answer(self) -> Spoken | Ending:
        answer = self._read(self._out / answer_file(self._number), ANSWER)
        if isinstance(answer, Done) and self._missing and not answer.spent:
            return self._garbage(f"{len(self._missing)} of its results are missing")
        return answer

    def _read(self, file: Path, adapter: TypeAdapter[S]) -> S | Ending:
        try:
            return understand(hostile_files.read(file, most=LARGEST_ANSWER), adapter)
        except (OSError, ForgedError, hostile_files.NotRegularError) as error:
            return self._garbage(str(error))
        finally:
            _remove(file)

    def _garbage(self, detail: str) -> Ending:
        self.end()
        return self._ending("garbage", detail=detail)

    def _ending(self, cause: Cause, *, detail: str = "") -> Ending:
        self.end()  # what it started may live on
        self._owner.join(timeout=GRACE_SECONDS)  # its last words
        try:
            faults = hostile_files.read(self._out / FAULTS_FILE, most=LARGEST_STACK).decode("utf-8", "replace")
        except (OSError, hostile_files.NotRegularError):
            faults = ""
        code = self._running.returncode
        if self.walls is None:
            stack = stacks.read(faults)
        else:
            stack = stacks.read(faults, shows=self.walls.seen.shows)
            code = SIGNALLED - code if code is not None and code > SIGNALLED else code
        return Ending(
            cause=cause,
            stack=stack,
            returncode=code,
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
    grace = KEEPER_SECONDS if any(child.walls is not None for child in children) else GRACE_SECONDS
    until = time.monotonic() + grace
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


def _written(pipe: int, content: bytes) -> bool:
    """Write all of it, and wait no longer than a start may take; True also when the reader has gone."""
    os.set_blocking(pipe, False)
    left, until = memoryview(content), time.monotonic() + START_SECONDS
    while left:
        try:
            left = left[os.write(pipe, left) :]
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            select.select([], [pipe], [], LOOK_AGAIN)
        except BrokenPipeError:
            return True  # it ended; `look` says so
    return True


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):  # gone, or a folder: it is read no more anyway
        file.unlink()


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
