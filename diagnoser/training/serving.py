"""How does the child answer? A file per result and one per request, complete or not there; only the process asked."""

import itertools
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from diagnoser.errors import UserCodeError
from diagnoser.messages import (
    REQUEST,
    Done,
    Failed,
    Load,
    Loaded,
    Part,
    Perform,
    Refused,
    Result,
    Spoken,
    answer_file,
    part_file,
)
from diagnoser.training import failures, isolation, work, workload
from diagnoser.training.environment import describe, users_files


class DeviceLost(BaseException):
    """The process cannot use its GPU any more, so what it measures now tells nothing about the trial."""


class Child:
    """The one workload of this process."""

    def __init__(self) -> None:
        self._workload: workload.Workload | None = None
        self._ours = frozenset(sys.modules)
        self._files: tuple[str, ...] = ()
        self._files_of: frozenset[str] = frozenset()  # the modules that they were listed for

    def load(self, request: Load) -> Loaded | Refused | Failed:
        """Import the user's code, build the data and one model."""
        folder = Path(request.folder)
        try:
            sys.path.insert(0, str(folder))  # only now: all of our own modules that begin a request are imported
            loaded = workload.load(request.spec, folder=folder)
            environment = describe(loaded, ours=self._ours)
        except UserCodeError as error:
            return Refused(message=str(error), traceback=error.remote_traceback)
        except BaseException as error:  # noqa: BLE001 (the border of the child)
            if _is_users(error):
                told = failures.user_code_error("no model or no batch could be built", error)
                return Refused(message=str(told), traceback=told.remote_traceback)
            return _failed(error)
        self._workload = loaded
        on_cuda = torch.device(loaded.device).type == "cuda"
        return Loaded(environment=environment, cuda_devices=torch.cuda.device_count() if on_cuda else 0)

    def perform(self, request: Perform, *, tell: Callable[[Part], None]) -> Done | Failed:
        """Do the work, and tell each result as it is there."""
        if self._workload is None:
            return Failed(message="work was asked for before anything was loaded", traceback="")
        if torch.get_num_threads() != request.threads:
            torch.set_num_threads(request.threads)
        loaded, left = self._workload, dict(enumerate(request.work))
        start = time.perf_counter()

        def on_result(index: int, result: Result) -> None:
            if result.error is not None and len(left) > 1 and _lost_its_device(loaded):
                raise DeviceLost  # by this trial or by another: asked one by one, they will tell
            del left[index]
            tell(Part(index=index, result=result, files=self._imported()))

        try:
            stacks = work.perform_all(loaded, request.work, on_result=on_result, largest=request.largest_stack)
        except DeviceLost:
            return Done(spent=True)
        except BaseException as error:  # noqa: BLE001 (the border of the child)
            if not _is_users(error) or len(left) != 1:  # of several, whose it is shows when they are asked one by one
                return _failed(error)
            ((index, piece),) = left.items()
            tell(Part(index=index, result=work.failed(piece, error, seconds=time.perf_counter() - start)))
            stacks = ()
        return Done(stacks=stacks, spent=_lost_its_device(loaded))

    def _imported(self) -> tuple[str, ...]:
        """List the user's files that are imported by now: thousands of modules, so only when there are others."""
        assert self._workload is not None
        modules = frozenset(sys.modules)
        if modules != self._files_of:
            self._files, self._files_of = users_files(self._workload.folder), modules
        return self._files


def serve(*, out: Path, parent: int) -> None:
    """Answer requests until the supervisor closes the pipe or ends this process."""
    isolation.die_with(parent)
    isolation.no_core_files()
    lines, printing = isolation.requests(), isolation.Printing()
    last_words = isolation.LastWords(out)
    own = os.getpid()
    child = Child()

    def say(file: str, said: Spoken | Part) -> None:
        if os.getpid() != own:  # user code forked, and this is the copy
            os._exit(0)
        last_words.after()
        printing.restore()
        _write(out / file, said.model_dump_json())
        isolation.ring(out)

    while True:
        request = REQUEST.validate_json(lines.get())
        if isinstance(request, Load):
            last_words.before(until=time.monotonic() + request.seconds)
            answer: Spoken = child.load(request)
        else:
            last_words.before(until=request.until)
            answer = child.perform(request, tell=_in_parts(request.number, say=say))
        say(answer_file(request.number), answer)


def _in_parts(number: int, *, say: Callable[[str, Part], None]) -> Callable[[Part], None]:
    """Give each result of a request the file that comes next."""
    counts = itertools.count()
    return lambda part: say(part_file(number, count=next(counts)), part)


def _is_users(error: BaseException) -> bool:
    """Tell whether the user's code raised it; KeyboardInterrupt and the like never come from us."""
    return not isinstance(error, Exception) or not failures.is_ours(error)


def _failed(error: BaseException) -> Failed:
    return Failed(message=f"{type(error).__name__}: {error}", traceback="".join(traceback.format_exception(error)))


def _lost_its_device(loaded: workload.Workload) -> bool:
    """Tell whether an assertion on the device, or an illegal access, has ended this process's use of the GPU."""
    if torch.device(loaded.device).type != "cuda":
        return False
    try:
        torch.cuda.synchronize(loaded.device)
    except RuntimeError:
        return True
    return False


def _write(file: Path, text: str) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)
