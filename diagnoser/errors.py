"""Whose fault is it: the errors that reach a user, each with a stable code and an exit code."""

from dataclasses import dataclass


class DiagnoserError(Exception):
    """Something that the user is told in one message, without a traceback of ours."""

    code = "error"
    exit_code = 4


@dataclass(frozen=True)
class SpecProblem:
    """One thing that is wrong with a spec: where it stands, what is wrong, and what was expected."""

    file: str
    line: int | None  # 1-based
    key: str  # dotted, "" for the whole file
    message: str
    hint: str | None = None  # what to do, or the nearest known name

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = f"{place}: {self.key}: " if self.key else f"{place}: "
        return where + self.message + (f" ({self.hint})" if self.hint else "")


class SpecError(DiagnoserError):
    """The spec is wrong; every problem is listed at once."""

    code = "spec-invalid"
    exit_code = 2

    def __init__(self, problems: tuple[SpecProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class UsageError(DiagnoserError):
    """The call is wrong: a file that is not there, an option that makes no sense."""

    code = "usage"
    exit_code = 2


class UserCodeError(DiagnoserError):
    """No model or no batch could be built from the user's code; `remote_traceback` is the user's own."""

    code = "user-code-failed"
    exit_code = 3

    def __init__(self, message: str, *, remote_traceback: str = "") -> None:
        self.remote_traceback = remote_traceback
        super().__init__(message)


class EngineError(DiagnoserError):
    """Our own failure, not the user's model."""

    code = "engine-failed"
    exit_code = 4
