"""What are the watchers of a job told? Numbered from 1 in each job; the oldest are dropped."""

from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import Event, UnitState
from diagnoser.ledger.sqlite_rows import Transaction, event_of


def tell(at: Transaction, job: str, *, kind: str, data: str) -> None:
    """Append an event to a job that is there."""
    row = at.one("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM events WHERE job = ?", job)
    assert row is not None
    number = row["next"]
    at.run("INSERT INTO events VALUES (?, ?, ?, ?, ?)", job, number, at.now_ms, kind, data)
    at.run("DELETE FROM events WHERE job = ? AND number <= ?", job, number - at.settings.events_kept)


def tell_of_unit(at: Transaction, job: str, *, unit: str, state: UnitState) -> None:
    """Say that a unit has ended; ids and states need no quoting."""
    tell(at, job, kind="unit", data=f'{{"unit": "{unit}", "state": "{state}"}}')


def tell_of_job(at: Transaction, job: str, *, state: str) -> None:
    """Say that a job has come to another state, or that its end is asked for."""
    tell(at, job, kind="job", data=f'{{"state": "{state}"}}')


def append_event(at: Transaction, job: str, *, kind: str, data: str) -> Answer:
    """Append an event of the caller's."""
    if at.one("SELECT 1 FROM jobs WHERE id = ?", job) is None:
        return Answer.UNKNOWN
    checked = Event(id="", at_ms=at.now_ms, kind=kind, data=data)  # raises when it is too long
    tell(at, job, kind=checked.kind, data=checked.data)
    return Answer.OK


def events(at: Transaction, job: str, *, after: int, limit: int) -> tuple[Event, ...]:
    """Give what comes after a number."""
    rows = at.all("SELECT * FROM events WHERE job = ? AND number > ? ORDER BY number LIMIT ?", job, after, limit)
    return tuple(map(event_of, rows))
