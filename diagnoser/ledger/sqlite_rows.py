"""How does a row become a record? And what every function of the SQLite ledger is given: a transaction at a moment."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from diagnoser.ledger.records import RESULT, Event, Inline, Job, Reference, SeenWorker, Unit, Worker
from diagnoser.ledger.settings import LedgerSettings

Value = str | int | None
JOB = """
    SELECT id, tenant, key, package, spec, state, phase, version, created_ms, finished_ms, cancel_requested, archive,
    reason, because, seq,
    (SELECT COUNT(*) FROM units WHERE units.job = jobs.id AND units.state IN ('pending', 'running')) AS open
    FROM jobs
"""
UNIT = """
    SELECT id, job, tenant, step, need, content, state, attempts, token, worker, lease_until_ms, created_ms,
    finished_ms, result, reason, because, seq
    FROM units
"""


@dataclass(frozen=True)
class Transaction:
    """Open on this connection, at this time by the ledger's clock."""

    connection: sqlite3.Connection
    now_ms: int
    settings: LedgerSettings

    def run(self, sql: str, *values: Value) -> sqlite3.Cursor:
        """Execute one statement."""
        return self.connection.execute(sql, values)

    def one(self, sql: str, *values: Value) -> sqlite3.Row | None:
        """Give the first row."""
        row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Value) -> Sequence[sqlite3.Row]:
        """Give every row."""
        return self.connection.execute(sql, values).fetchall()


def job_of(row: sqlite3.Row) -> Job:
    """Read a row of JOB."""
    fields = {name: row[name] for name in row.keys() if name not in {"seq", "archive"}}  # noqa: SIM118 -- a Row, no dict
    archive = row["archive"]
    return Job(**fields, archive=None if archive is None else Reference.model_validate_json(archive))


def unit_of(row: sqlite3.Row) -> Unit:
    """Read a row of UNIT."""
    fields = {name: row[name] for name in row.keys() if name not in {"seq", "result"}}  # noqa: SIM118
    return Unit(**fields, result=result_of(row["result"]))


def result_of(text: str | None) -> Inline | Reference | None:
    """Read a stored result."""
    return None if text is None else RESULT.validate_json(text)


def event_of(row: sqlite3.Row) -> Event:
    """Read a row of `events`."""
    return Event(id=str(row["number"]), at_ms=row["at_ms"], kind=row["kind"], data=row["data"])


def worker_of(row: sqlite3.Row) -> SeenWorker:
    """Read a row of `workers`."""
    return SeenWorker(worker=Worker.model_validate_json(row["body"]), seen_ms=row["seen_ms"])
