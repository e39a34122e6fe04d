"""Who starts, watches and ends one child in which user code runs? This file; it never loads torch or user code.

The level `process`: the user's own code on the user's own machine.

Covers: user code that raises, exits, crashes, hangs, forks, prints without end or closes its output; answers that are
no answers; time; Ctrl-C, which reaches the supervisor alone; a supervisor that is killed (Linux: the kernel ends the
child with it; elsewhere the child notices that its pipe is closed).
Does not cover: hostile code. The child is the same user with the same files, network and environment, it may forge its
own answers, and a process that it started in a session of its own outlives it.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from diagnoser.errors import EngineError
from diagnoser.messages import ANSWER, FAULTS_FILE, Done, Failed, Load, Loaded, Perform, Refused, answer_file
from diagnoser.sandbox import stacks
from diagnoser.sandbox.limits import START_SECONDS
from diagnoser.sandbox.output import Output

PROGRAM = (
    Path(__file__).resolve().parents[1] / "training" / "__main__.py"
)  # by path: no folder is searched for our package
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes; a result with every curve has some 100 KB
GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL
CHUNK = 64 * 1024  # bytes; what a pipe holds

ALLOCATOR = {  # or glibc gives large blocks back and faults them in again, every step: 2.05x (research/performance.md)
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "67108864",
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SAME_EVERY_TIME = {  # unless the user has set them
    "PYTHONHASHSEED": "0",  # or a set of labels would have another order in every child
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS repeats its sums only with it, and reads it once
}

Spoken = Loaded | Refused | Done | Failed


@dataclass(frozen=True)
class Ending:
    """How a child ended without an answer."""

    cause: Literal["died", "timed_out", "memory", "garbage"]
    stack: stacks.Stack
    returncode: int | None
    seconds: float  # since the request
    allowed: float  # seconds
    output: str  # the last lines that the user's code printed
    detail: str = ""


class Child:
    """One process. It answers one request at a time."""

    def __init__(self, *, folder: Path, out: Path, environment: Mapping[str, str]) -> None:
        out.mkdir(parents=True)
        self.output = Output()
        self._out = out
        self._number = 0
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

    def next_number(self) -> int:
        """Number the next request."""
        return self._number + 1

    def look(self) -> Spoken | Ending | None:
        """Take the answer, if there is one; else tell how the child ended, if it did."""
        ended = self._running.poll() is not None  # before the file: it may answer and end
        if (self._out / answer_file(self._number)).exists():
            self._until = math.inf  # it has nothing to do now
            return self._read()
        if ended:
            return self._ending("died")
        if self._starts_load_of is not None and (self._out / FAULTS_FILE).exists():
            self._sent, self._until = time.monotonic(), time.monotonic() + self._starts_load_of
            self._starts_load_of = None
        if time.monotonic() > self._until:
            return self.end_for("timed_out")
        return None

    def end_for(self, cause: Literal["timed_out", "memory"]) -> Ending:
        """End it, and tell where it was."""
        if cause == "memory":
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
        (self._out / answer_file(request.number)).unlink(missing_ok=True)
        assert self._running.stdin is not None
        try:
            self._running.stdin.write(request.model_dump_json().encode() + b"\n")
            self._running.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; `look` says so

    def _read(self) -> Spoken | Ending:
        file = self._out / answer_file(self._number)
        try:
            if file.stat().st_size > LARGEST_ANSWER:
                return self._garbage(f"it has {file.stat().st_size:,} bytes")
            answer = ANSWER.validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            return self._garbage(str(error).splitlines()[0])
        finally:
            file.unlink(missing_ok=True)
        return answer

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
    for process in running:
        _signal(process, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def environment_for_child(given: Mapping[str, str], *, threads: int, cuda_device: str | None = None) -> dict[str, str]:
    """Give the user's environment, and what makes a child fast and repeatable."""
    paths = given.get("PYTHONPATH", "")
    absolute = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep) if path)
    return {
        **ALLOCATOR,
        **SAME_EVERY_TIME,
        **given,
        **dict.fromkeys(THREADS, str(threads)),
        **({"PYTHONPATH": absolute} if paths else {}),  # the child's current folder is the spec's, not ours
        **({"CUDA_VISIBLE_DEVICES": cuda_device} if cuda_device is not None else {}),
    }


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; macOS says EPERM of a group of zombies
        os.killpg(process.pid, number)  # start_new_session: the group has the child's number


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
