"""Could a child have said this? What it writes is a stranger's: JSON of our schema with numbers that a run can have.

Covers: what is no JSON, or nested without end; numbers of thousands of digits; what the schema does not know; whole
numbers that no count reaches, which would end our own arithmetic; times that are no times.
Does not cover: a plausible lie. What a program says of itself is believed (docs/isolation.md).
"""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import TypeAdapter

from diagnoser.messages import Part, Spoken

LARGEST = 2**53  # beyond it a float, and most readers of JSON, know only some of the whole numbers

S = TypeVar("S", Part, Spoken)


class ForgedError(Exception):
    """Nobody who measured would say it; the message tells why."""


def understand(content: bytes, adapter: TypeAdapter[S]) -> S:
    """Read what a child said. Raises ForgedError, and nothing else."""
    try:
        said = adapter.validate_json(content)
    except (ValueError, RecursionError) as error:  # pydantic's own error is a ValueError
        raise ForgedError(str(error).splitlines()[0]) from error
    if isinstance(said, Part):
        _check_time(said.result.seconds)
    waiting: list[object] = [said.model_dump()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, Iterable) and not isinstance(one, str | bytes):
            waiting += one
        elif isinstance(one, int) and abs(one) > LARGEST:
            raise ForgedError(f"it holds a whole number beyond {LARGEST}")
    return said


def _check_time(seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ForgedError(f"it took {seconds} seconds")
