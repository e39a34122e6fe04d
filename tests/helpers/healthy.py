"""How does one change a healthy record for a test? By keyword, validated like any input."""

from typing import TypeVar

from diagnoser.evidence.outcome import NotMeasured, Reason
from diagnoser.records import Record

T = TypeVar("T", bound=Record)


def altered(record: T, changes: dict[str, object]) -> T:
    """The record with these fields changed; an unknown field or a wrong type raises at once."""
    fields = {name: getattr(record, name) for name in type(record).model_fields}
    return type(record).model_validate(fields | changes)


def not_measured(because: str = "the budget ended before this step", *, reason: str = "budget") -> NotMeasured:
    return NotMeasured(reason=Reason(reason), because=because)
