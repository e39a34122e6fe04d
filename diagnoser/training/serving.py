"""How does the child answer? One file per request, complete or not there; and only the process that was asked."""

import os
import sys
import time
import traceback
from pathlib import Path

import torch

from diagnoser.errors import UserCodeError
from diagnoser.messages import REQUEST, Done, Failed, Load, Loaded, Perform, Refused, answer_file
from diagnoser.training import failures, isolation, work, workload
from diagnoser.training.environment import describe, users_files


class Child:
    """The one workload of this process."""

    def __init__(self) -> None:
        self._workload: workload.Workload | None = None
        self._ours = frozenset(sys.modules)

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

    def perform(self, request: Perform) -> Done | Failed:
        """Do the work, one piece after the other."""
        if self._workload is None:
            return Failed(message="work was asked for before anything was loaded", traceback="")
        if torch.get_num_threads() != request.threads:
            torch.set_num_threads(request.threads)
        results = []
        for piece in request.work:
            start = time.perf_counter()
            try:
                results.append(work.perform(self._workload, piece))
            except BaseException as error:  # noqa: BLE001 (the border of the child)
                if not _is_users(error):
                    return _failed(error)
                results.append(work.failed(piece, error, seconds=time.perf_counter() - start))
        files = users_files(self._workload.folder)
        return Done(results=tuple(results), files=files, spent=_lost_its_device(self._workload))


def serve(*, out: Path, parent: int) -> None:
    """Answer requests until the supervisor closes the pipe or ends this process."""
    isolation.die_with(parent)
    isolation.no_core_files()
    lines, printing = isolation.requests(), isolation.Printing()
    last_words = isolation.LastWords(out)
    own = os.getpid()
    child = Child()
    while True:
        request = REQUEST.validate_json(lines.get())
        if isinstance(request, Load):
            last_words.before(until=time.monotonic() + request.seconds)
            answer: Loaded | Refused | Done | Failed = child.load(request)
        else:
            last_words.before(until=request.until)
            answer = child.perform(request)
        if os.getpid() != own:  # user code forked, and this is the copy
            os._exit(0)
        last_words.after()
        printing.restore()
        _write(out / answer_file(request.number), answer.model_dump_json())


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
