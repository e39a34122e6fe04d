"""What does it mean that a child ended without an answer? A result for the work, or an error for the load."""

import signal
from collections.abc import Sequence

from diagnoser.errors import EngineError, UserCodeError
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.messages import Failed, Part, Refused, Result, Spoken, Work
from diagnoser.sandbox.limits import TIME_FACTOR
from diagnoser.sandbox.supervisor import Ending
from diagnoser.trials import CUT_SHORT, Outcome, Probe, TrialResult, UserError

PASSED = {  # limits of a sandbox level
    "processes": "had started more processes than this sandbox level allows",
    "disk": "had written more, or more files, than this sandbox level allows",
}
EVALUATION_SECONDS = 10.0  # a trial that stops itself still evaluates a model that may be slow


def result_of(work: Work, ending: Ending, *, beside: Sequence[Work] = ()) -> Result:
    """Say how the work ended; that the run's deadline ended it is nobody's error, but where it was may tell.

    `beside` are the others of its unit that had not ended: they may have been trained together, and share the time.
    """
    error = _error(ending)
    if ending.cause == "timed_out" and not _is_overdue((work, *beside), ending):
        error = error.model_copy(update={"kind": CUT_SHORT})
    return lost(work, outcome=_outcome(ending), error=error, seconds=ending.seconds)


def lost(work: Work, *, outcome: Outcome, error: UserError | None, seconds: float = 0.0) -> Result:
    """Make the result of work that did not answer for itself."""
    if isinstance(work, Probe):
        return ProbeResult(outcome=outcome, error=error, seconds=seconds)
    timed_out = outcome is Outcome.TIMED_OUT
    return TrialResult(outcome=outcome, error=error, stopped_by="time" if timed_out else "error", seconds=seconds)


def is_final(ending: Ending) -> bool:
    """Tell whether asking again would end the same way; a process that was lost otherwise gets a second chance."""
    return ending.cause in {"timed_out", *PASSED} or ending.stack.exit_code is not None


def load_error(said: Spoken | Part | Ending, *, doing: str) -> UserCodeError | EngineError:
    """Say why no model and no batch could be built; `doing` begins the sentence."""
    if isinstance(said, Ending):
        return _load_ending(said, doing=doing)
    if isinstance(said, Refused):
        return UserCodeError(said.message, remote_traceback=said.traceback)
    detail = f"{said.message}\n{said.traceback}" if isinstance(said, Failed) else "unexpected answer"
    return EngineError(f"{doing}: {detail}")


def _load_ending(ending: Ending, *, doing: str) -> UserCodeError | EngineError:
    if ending.cause == "garbage":
        return EngineError(f"{doing}: the child's answer cannot be read: {ending.detail}")
    printed = f"\nThe last that it printed:\n{ending.output}" if ending.output and not ending.stack.traceback else ""
    ended = {
        "timed_out": f"did not return within {ending.allowed:.0f} s; if it needs more, set DIAGNOSER_LOAD_SECONDS",
        "memory": "took more memory than this machine has left",
        **PASSED,
    }.get(ending.cause, _death(ending))
    return UserCodeError(f"{doing} {ended}{printed}", remote_traceback=ending.stack.traceback)


def _is_overdue(work: Sequence[Work], ending: Ending) -> bool:
    """Tell whether work had long been expected to end itself, at `max_seconds`, when it was ended."""
    limits = [piece.max_seconds for piece in work if piece.max_seconds is not None]
    return len(limits) < len(work) or ending.seconds > TIME_FACTOR * sum(limits) + EVALUATION_SECONDS


def _outcome(ending: Ending) -> Outcome:
    if ending.cause == "timed_out":
        return Outcome.TIMED_OUT
    if ending.cause == "memory":
        return Outcome.OUT_OF_MEMORY
    if ending.cause in PASSED:
        return Outcome.USER_ERROR
    if ending.stack.exit_code is not None or (ending.stack.crash and ending.stack.traceback):
        return Outcome.USER_ERROR  # it said itself where
    return Outcome.WORKER_LOST


def _error(ending: Ending) -> UserError:
    kind, message = {
        "timed_out": ("TimedOut", f"still running after {ending.seconds:.0f} s, when it was ended"),
        "memory": ("OutOfMemory", "the process took more memory than this machine has left, and was ended"),
        "garbage": ("EngineError", f"the answer of the process cannot be read: {ending.detail}"),
        "died": ("ProcessEnded", f"the process {_death(ending)}"),
        **{cause: ("LimitPassed", f"the process {words}, and was ended") for cause, words in PASSED.items()},
    }[ending.cause]
    if ending.stack.crash and ending.cause == "died":
        kind = ending.stack.crash
    if ending.stack.exit_code is not None and ending.cause == "died":
        kind = "os._exit"
    return UserError(kind=kind, message=message, traceback=ending.stack.traceback)


def _death(ending: Ending) -> str:
    if ending.stack.exit_code is not None:
        return f"ended: the code called os._exit({ending.stack.exit_code})"
    if ending.stack.crash:
        return f"crashed: {ending.stack.crash}"
    code = ending.returncode
    if code is None:
        return "ended"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as the system does when memory is short" if name == "SIGKILL" else ""
    return f"was ended from outside ({name}{hint})"
