"""Was it measured? Either a value, or a reason why not; never silence."""

from enum import StrEnum
from typing import Generic, Literal, TypeVar

from diagnoser.records import Record

T = TypeVar("T", bound=Record)


class Reason(StrEnum):
    """Why something was not measured: the gate and the verdict read it."""

    BUDGET = "budget"
    USER_ERROR = "user_error"
    UNSUPPORTED = "unsupported"
    DEPENDENCY = "dependency"
    WORKER_LOST = "worker_lost"
    ENGINE_ERROR = "engine_error"


class Measured(Record, Generic[T]):
    """A value and what it cost."""

    status: Literal["measured"] = "measured"
    seconds: float
    value: T
    fraction_of_run: float = 1.0  # of the user's updates that the longest trial of this step did
    rows_used: float = 1.0  # share of the training rows


class NotMeasured(Record):
    """No value; `because` is shown to the user as it stands."""

    status: Literal["not_measured"] = "not_measured"
    reason: Reason
    because: str
    traceback: str | None = None  # the user's own, when their code raised


def measured(value: T, *, seconds: float, fraction_of_run: float = 1.0) -> Measured[T]:
    """Wrap a value in the outcome type that its field in the evidence declares."""
    outcome: type[Measured[T]] = Measured[type(value)]  # type: ignore[misc,assignment]  # the type is known at run time only
    return outcome(seconds=seconds, value=value, fraction_of_run=fraction_of_run)
