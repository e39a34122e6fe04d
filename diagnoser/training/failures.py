"""Whose failure is it, and how is the user's own told: the traceback cut to their lines."""

import traceback
from pathlib import Path

import torch
from pydantic import ValidationError

from diagnoser.errors import UserCodeError
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Outcome, UserError

_OURS = Path(__file__).resolve().parents[1]
_TORCH = Path(torch.__file__).resolve().parent
_DEMO = _OURS / "demo"  # a user's project that we ship
_LONGEST_MESSAGE = 2_000  # characters; a message that prints a tensor would fill the report

_WHERE_THE_USERS_OBJECTS_ARE_TAKEN_APART = frozenset({"batches.py", "data.py", "layout.py", "reading.py"})

USER_STOPS = (Exception, SystemExit)
"""What user code may raise on purpose or not: sys.exit in a script is common; KeyboardInterrupt is the person's."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on the host or on the device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = ("can't allocate memory", "out of memory", "not enough memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


def is_ours(error: BaseException) -> bool:
    """Tell whether our own code failed, judged by the innermost line and the kind of error.

    A shape that does not fit is raised by torch in whatever line calls it, often one of ours: that is the user's.
    """
    if isinstance(error, Unsupported | UserCodeError | SystemExit) or is_out_of_memory(error):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not _is_in(frames[-1].filename, _OURS):
        return False
    if isinstance(error, AssertionError | NameError | AttributeError | ImportError | ValidationError):
        return True
    if Path(frames[-1].filename).name in _WHERE_THE_USERS_OBJECTS_ARE_TAKEN_APART:
        return False
    fits_not = isinstance(error, TypeError) and "argument" in str(error)
    return not (fits_not or isinstance(error, RuntimeError | ValueError))


def user_error(error: BaseException) -> UserError:
    """Describe what the user's code raised, in its own words."""
    message = error.reason if isinstance(error, Unsupported) else str(error)
    if isinstance(error, SystemExit):
        message = f"the code called sys.exit({error.code!r})"
    text = error.remote_traceback if isinstance(error, UserCodeError) else users_traceback(error)
    return UserError(kind=type(error).__name__, message=message[:_LONGEST_MESSAGE], traceback=text)


def user_code_error(message: str, error: BaseException) -> UserCodeError:
    """Wrap what the user's code raised, with one sentence on what we were doing."""
    if isinstance(error, UserCodeError):
        return error
    kind, words = type(error).__name__, str(error)[:_LONGEST_MESSAGE]
    if isinstance(error, SystemExit):
        words = f"the code called sys.exit({error.code!r})"
    return UserCodeError(f"{message}: {kind}: {words}", remote_traceback=users_traceback(error))


def outcome_of(error: BaseException) -> Outcome:
    """Name the outcome of a trial or probe that raised; call it only for what is not ours."""
    return Outcome.OUT_OF_MEMORY if is_out_of_memory(error) else Outcome.USER_ERROR


def users_traceback(error: BaseException) -> str:
    """Format a traceback without our frames, and with torch's only where it was raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and not _is_in(frame.filename, _OURS)
    ]
    users = [frame for frame in frames if not _is_in(frame.filename, _TORCH)]
    kept = [frame for frame in frames if frame in users or frame is frames[-1]] if users else frames[-2:]
    head = "Traceback (most recent call last):\n" if kept else ""
    end = "".join(traceback.format_exception_only(error))[:_LONGEST_MESSAGE]
    return head + "".join(traceback.format_list(kept)) + end


def _is_in(filename: str, folder: Path) -> bool:
    path = Path(filename)
    return path.is_relative_to(folder) and not path.is_relative_to(_DEMO)
