"""The ledger of one machine: a SQLite file with one owner. Each method is one transaction."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger import sqlite_due, sqlite_events, sqlite_file, sqlite_jobs, sqlite_units
from diagnoser.ledger.errors import LedgerFull, LedgerUnreachable
from diagnoser.ledger.paging import event_place, page_size, place
from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import (
    BECAUSE,
    OVER,
    STEP,
    TOKEN,
    Claimant,
    Due,
    Event,
    FinalState,
    Inline,
    Job,
    JobPage,
    Load,
    NewJob,
    NewUnit,
    Reference,
    SeenWorker,
    Sent,
    Unit,
    UnitPage,
    Worker,
)
from diagnoser.ledger.settings import LedgerSettings, milliseconds
from diagnoser.ledger.sqlite_rows import JOB, UNIT, Transaction, job_of, unit_of, worker_of

LAST = 2**62  # beyond any place in a list


def steady_clock() -> Callable[[], int]:
    """Make a clock that starts at the time of day and never jumps: a set clock must not end leases."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: (offset + time.monotonic_ns()) // 1_000_000


class SqliteLedger:
    """A ledger in a file. Raises LedgerOwned while another process has it open."""

    def __init__(self, file: Path, *, settings: LedgerSettings, clock: Callable[[], int] | None = None) -> None:
        self.settings = settings
        self._clock = clock or steady_clock()
        self._one_at_a_time = threading.RLock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = sqlite_file.own(file)
        try:
            self._connection = sqlite_file.connect(file)
            with self._transaction() as at:
                sqlite_due.take_back_orphans(at)
        except BaseException:
            os.close(self._lock)
            raise

    def submit(self, job: NewJob) -> Job:
        """Write down a job, or give the one that is there."""
        with self._transaction() as at:
            return sqlite_jobs.submit(at, job)

    def get_job(self, job: str, *, tenant: str | None) -> Job | None:
        """Give a job, if it is this tenant's."""
        with self._reading() as at:
            found = sqlite_jobs.get_job(at, job)
        return found if found is not None and tenant in {None, found.tenant} else None

    def list_jobs(self, tenant: str, *, after: str | None, limit: int) -> JobPage:
        """Give a page of a tenant's jobs, newest first."""
        before = place(after)
        size = page_size(limit)
        with self._reading() as at:
            sql = f"{JOB} WHERE tenant = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
            rows = at.all(sql, tenant, LAST if before is None else before, size + 1)
        following = str(rows[size - 1]["seq"]) if len(rows) > size else None
        return JobPage(jobs=tuple(map(job_of, rows[:size])), next=following)

    def cancel(self, job: str) -> Answer:
        """Ask for the end of a job."""
        with self._transaction() as at:
            return sqlite_jobs.cancel(at, job)

    def cancel_requested(self, job: str) -> bool:
        """Tell whether nobody waits any more."""
        with self._reading() as at:
            row = at.one("SELECT state, cancel_requested FROM jobs WHERE id = ?", job)
        return row is None or bool(row["cancel_requested"]) or row["state"] in OVER

    def finish_job(
        self,
        job: str,
        *,
        expected_version: int,
        state: FinalState,
        archive: Reference | None,
        reason: Reason | None,
        because: str | None,
    ) -> Answer:
        """End a job."""
        with self._transaction() as at:
            BECAUSE.validate_python(because)
            return sqlite_jobs.finish_job(
                at, job, expected_version=expected_version, state=state, archive=archive, reason=reason, because=because
            )

    def requeue(self, job: str) -> tuple[str, ...]:
        """Send failed units again."""
        with self._transaction() as at:
            return sqlite_jobs.requeue(at, job)

    def delete_job(self, job: str) -> Answer:
        """Forget a job."""
        with self._transaction() as at:
            return sqlite_jobs.delete_job(at, job)

    def insert_units(self, job: str, *, expected_version: int, phase: str, units: Sequence[NewUnit]) -> Answer:
        """Add the units of a phase."""
        with self._transaction() as at:
            STEP.validate_python(phase)
            return sqlite_jobs.insert_units(at, job, expected_version=expected_version, phase=phase, units=units)

    def get_unit(self, unit: str) -> Unit | None:
        """Give a unit."""
        with self._reading() as at:
            row = at.one(f"{UNIT} WHERE id = ?", unit)
        return None if row is None else unit_of(row)

    def units(self, job: str, *, after: str | None, limit: int) -> UnitPage:
        """Give a page of a job's units."""
        start = place(after)
        size = page_size(limit)
        with self._reading() as at:
            rows = at.all(f"{UNIT} WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?", job, start or 0, size + 1)
        following = str(rows[size - 1]["seq"]) if len(rows) > size else None
        return UnitPage(units=tuple(map(unit_of, rows[:size])), next=following)

    def failed_units(self, *, limit: int) -> tuple[Unit, ...]:
        """Give the units that were given up."""
        with self._reading() as at:
            rows = at.all(f"{UNIT} WHERE state = 'failed' ORDER BY finished_ms DESC, id DESC LIMIT ?", page_size(limit))
        return tuple(map(unit_of, rows))

    def claim(self, unit: str, *, token: str, by: Claimant) -> tuple[Answer, Unit | None]:
        """Take a unit."""
        with self._transaction() as at:
            TOKEN.validate_python(token)
            return sqlite_units.claim(at, unit, token=token, by=by)

    def renew(self, unit: str, *, token: str) -> Answer:
        """Hold a unit for longer."""
        with self._transaction() as at:
            return sqlite_units.renew(at, unit, token=token)

    def complete(self, unit: str, *, token: str, result: Inline | Reference) -> Answer:
        """Give a unit's result."""
        with self._transaction() as at:
            return sqlite_units.complete(at, unit, token=token, result=result)

    def release(self, unit: str, *, token: str) -> Answer:
        """Put a unit back uncounted."""
        with self._transaction() as at:
            return sqlite_units.release(at, unit, token=token)

    def fail(self, unit: str, *, token: str, because: str) -> Answer:
        """Put a unit back as a failed attempt."""
        with self._transaction() as at:
            BECAUSE.validate_python(because)
            return sqlite_units.fail(at, unit, token=token, because=because)

    def next_units(self, *, waiting: Mapping[str, int]) -> tuple[Sent, ...]:
        """Choose what to enqueue now."""
        with self._transaction() as at:
            return sqlite_due.next_units(at, waiting=waiting)

    def sweep(self) -> Due:
        """End expired leases and look for what is due."""
        with self._transaction() as at:
            return sqlite_due.sweep(at)

    def may_reconcile(self, owner: str) -> bool:
        """Take the turn to sweep."""
        with self._transaction() as at:
            return sqlite_due.may_reconcile(at, owner)

    def loads(self) -> tuple[Load, ...]:
        """Count what there is to do."""
        with self._reading() as at:
            return sqlite_due.loads(at)

    def append_event(self, job: str, *, kind: str, data: str) -> Answer:
        """Tell the watchers of a job something."""
        with self._transaction() as at:
            return sqlite_events.append_event(at, job, kind=kind, data=data)

    def events(self, job: str, *, after: str | None, limit: int) -> tuple[Event, ...]:
        """Give what was told since."""
        number = int(event_place(after).partition("-")[0])
        with self._reading() as at:
            return sqlite_events.events(at, job, after=number, limit=page_size(limit))

    def beat(self, worker: Worker) -> None:
        """Note that a worker lives."""
        with self._transaction() as at:
            at.run(
                "INSERT OR REPLACE INTO workers VALUES (?, ?, ?)", worker.worker, worker.model_dump_json(), at.now_ms
            )

    def workers(self) -> tuple[SeenWorker, ...]:
        """Give the workers that live."""
        with self._reading() as at:
            since = at.now_ms - milliseconds(self.settings.worker_seconds)
            rows = at.all("SELECT * FROM workers WHERE seen_ms > ? ORDER BY name", since)
        return tuple(map(worker_of, rows))

    def expire_previous_boots(self, *, host: str, boot: str) -> Due:
        """End the leases of this host's earlier boots."""
        with self._transaction() as at:
            return sqlite_due.expire_previous_boots(at, host=host, boot=boot)

    def close(self) -> None:
        """Close the file and let go of it."""
        with self._one_at_a_time:
            self._connection.close()
            os.close(self._lock)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        with self._one_at_a_time, _in_our_words():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection, self._clock(), self.settings)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself may have rolled back
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with self._one_at_a_time, _in_our_words():
            yield Transaction(self._connection, self._clock(), self.settings)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname == "SQLITE_FULL":
            raise LedgerFull("the disk of the ledger is full; nothing was written, and nothing is lost") from error
        raise LedgerUnreachable(f"the ledger's file cannot be used: {error}") from error
