"""How does an answer of Redis become a record? It is flat lists of text: names and values by turns."""

from collections.abc import Sequence
from typing import Any

from diagnoser.ledger.records import RESULT, Event, Job, Reference, SeenWorker, Unit, Worker


def job_of(reply: Sequence[Any]) -> Job | None:
    """Read a job: its hash, and how many units are open; an empty hash is none."""
    fields = _named(reply[0])
    if not fields:
        return None
    archive = fields.pop("archive", None)
    return Job(
        **fields | {"open": reply[1], "archive": None if archive is None else Reference.model_validate_json(archive)}
    )


def unit_of(reply: Sequence[Any] | None) -> Unit | None:
    """Read a unit: its hash, and the end of its lease."""
    if reply is None:
        return None
    fields = {name: value for name, value in _named(reply[0]).items() if name not in {"place", "host", "boot"}}
    result = fields.pop("result", None)
    until = reply[1] if len(reply) > 1 else None
    return Unit(
        **fields
        | {
            "result": None if result is None else RESULT.validate_json(result),
            "lease_until_ms": None if until is None else int(until),
        }
    )


def event_of(reply: Sequence[Any]) -> Event:
    """Read an entry of a stream, whose id begins with its time."""
    fields = _named(reply[1])
    return Event(id=reply[0], at_ms=int(reply[0].partition("-")[0]), kind=fields["kind"], data=fields["data"])


def worker_of(reply: Sequence[Any]) -> SeenWorker:
    """Read what a worker said, and when."""
    return SeenWorker(worker=Worker.model_validate_json(reply[0]), seen_ms=reply[1])


def _named(flat: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
