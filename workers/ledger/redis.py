"""The ledger of the service: Redis does each call in one script, by its own clock.

redis-py asks again by itself when an answer is lost, so each script may run twice (diagnoser/ledger/protocol.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.errors import LedgerFull, LedgerUnreachable
from diagnoser.ledger.paging import event_place, page_size, place
from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import (
    BECAUSE,
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
    unit_id,
)
from diagnoser.ledger.settings import LedgerSettings, milliseconds
from workers.ledger import scripts
from workers.ledger.replies import event_of, job_of, unit_of, worker_of

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0  # a script of 2,000 units takes 0.1 s; a Redis that rewrites its file on a slow disk, seconds
IDLE_SECONDS = 25  # after them a connection is tried before it is used: firewalls forget silent ones
MOST_AT_ONCE = 1000  # of each kind in one sweep: the next one is seconds away


class RedisLedger:
    """A ledger in Redis. Whoever has its URL can do anything to it: it belongs to gateways and supervisors alone."""

    def __init__(self, url: str, *, settings: LedgerSettings, source: Callable[[str], str] = scripts.source) -> None:
        self.settings = settings
        self._client = redis.Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_keepalive=True,
            health_check_interval=IDLE_SECONDS,
        )
        self._scripts = {name: self._client.register_script(source(name)) for name in scripts.names()}
        self._header = (
            settings.attempts,
            milliseconds(settings.lease_seconds),
            settings.events_kept,
            milliseconds(settings.resend_seconds),
        )

    def submit(self, job: NewJob) -> Job:
        """Write down a job, or give the one that is there."""
        there = job_of(self._call("submit", job.id, job.tenant, job.key or "", job.package, job.spec))
        assert there is not None
        return there

    def get_job(self, job: str, *, tenant: str | None) -> Job | None:
        """Give a job, if it is this tenant's."""
        found = job_of(self._call("read_job", job))
        return found if found is not None and tenant in {None, found.tenant} else None

    def list_jobs(self, tenant: str, *, after: str | None, limit: int) -> JobPage:
        """Give a page of a tenant's jobs, newest first."""
        before = place(after)
        size = page_size(limit)
        rows = self._call("read_jobs", tenant, "" if before is None else before, size + 1)
        jobs = tuple(job for _, row in rows[:size] if (job := job_of(row)) is not None)
        return JobPage(jobs=jobs, next=rows[size - 1][0] if len(rows) > size else None)

    def cancel(self, job: str) -> Answer:
        """Ask for the end of a job."""
        return Answer(self._call("cancel", job))

    def cancel_requested(self, job: str) -> bool:
        """Tell whether nobody waits any more."""
        return bool(self._call("read_cancel_requested", job))

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
        kept = "" if archive is None else archive.model_dump_json()
        words = BECAUSE.validate_python(because) or ""
        return Answer(self._call("finish_job", job, expected_version, state, kept, reason or "", words))

    def requeue(self, job: str) -> tuple[str, ...]:
        """Send failed units again."""
        return tuple(self._call("requeue", job))

    def delete_job(self, job: str) -> Answer:
        """Forget a job."""
        return Answer(self._call("delete_job", job))

    def insert_units(self, job: str, *, expected_version: int, phase: str, units: Sequence[NewUnit]) -> Answer:
        """Add the units of a phase."""
        flat = (part for unit in units for part in (unit_id(job, unit), unit.step, unit.need, unit.content))
        return Answer(self._call("insert_units", job, expected_version, STEP.validate_python(phase), *flat))

    def get_unit(self, unit: str) -> Unit | None:
        """Give a unit."""
        return unit_of(self._call("read_unit", unit))

    def units(self, job: str, *, after: str | None, limit: int) -> UnitPage:
        """Give a page of a job's units."""
        start = place(after)
        size = page_size(limit)
        rows = self._call("read_units", job, "" if start is None else start, size + 1)
        units = tuple(unit for _, row in rows[:size] if (unit := unit_of(row)) is not None)
        return UnitPage(units=units, next=rows[size - 1][0] if len(rows) > size else None)

    def failed_units(self, *, limit: int) -> tuple[Unit, ...]:
        """Give the units that were given up."""
        rows = self._call("read_failed", page_size(limit))
        return tuple(unit for row in rows if (unit := unit_of(row)) is not None)

    def claim(self, unit: str, *, token: str, by: Claimant) -> tuple[Answer, Unit | None]:
        """Take a unit."""
        answer, *row = self._call("claim", unit, TOKEN.validate_python(token), by.worker, by.host, by.boot)
        return Answer(answer), unit_of(row[0]) if row else None

    def renew(self, unit: str, *, token: str) -> Answer:
        """Hold a unit for longer."""
        return Answer(self._call("renew", unit, token))

    def complete(self, unit: str, *, token: str, result: Inline | Reference) -> Answer:
        """Give a unit's result."""
        return Answer(self._call("complete", unit, token, result.model_dump_json()))

    def release(self, unit: str, *, token: str) -> Answer:
        """Put a unit back uncounted."""
        return Answer(self._call("release", unit, token))

    def fail(self, unit: str, *, token: str, because: str) -> Answer:
        """Put a unit back as a failed attempt."""
        return Answer(self._call("fail", unit, token, BECAUSE.validate_python(because) or ""))

    def next_units(self, *, waiting: Mapping[str, int]) -> tuple[Sent, ...]:
        """Choose what to enqueue now."""
        lengths = (part for queue in waiting.items() for part in queue)
        flat = self._call("next_units", self.settings.window, *lengths)
        return tuple(Sent(unit=unit, need=need) for unit, need in zip(flat[::2], flat[1::2], strict=True))

    def sweep(self) -> Due:
        """End expired leases and look for what is due."""
        keep = self.settings.keep_seconds
        kept_ms = "" if keep is None else milliseconds(keep)
        returned, lost, cancelled, advance, old = self._call("sweep", kept_ms, MOST_AT_ONCE)
        return Due(returned=returned, lost=lost, cancelled=cancelled, advance=advance, old=old)

    def may_reconcile(self, owner: str) -> bool:
        """Take the turn to sweep."""
        return bool(self._call("may_reconcile", owner, milliseconds(self.settings.reconcile_lock_seconds)))

    def loads(self) -> tuple[Load, ...]:
        """Count what there is to do."""
        rows = self._call("read_loads")
        return tuple(Load(need=need, pending=pending, running=running) for need, pending, running in rows)

    def append_event(self, job: str, *, kind: str, data: str) -> Answer:
        """Tell the watchers of a job something."""
        checked = Event(id="", at_ms=0, kind=kind, data=data)  # raises when it is too long
        return Answer(self._call("append_event", job, checked.kind, checked.data))

    def events(self, job: str, *, after: str | None, limit: int) -> tuple[Event, ...]:
        """Give what was told since."""
        return tuple(map(event_of, self._call("read_events", job, event_place(after), page_size(limit))))

    def beat(self, worker: Worker) -> None:
        """Note that a worker lives."""
        lasts = milliseconds(self.settings.worker_seconds)
        self._call("beat", worker.worker, worker.model_dump_json(), lasts)

    def workers(self) -> tuple[SeenWorker, ...]:
        """Give the workers that live."""
        return tuple(map(worker_of, self._call("workers")))

    def expire_previous_boots(self, *, host: str, boot: str) -> Due:
        """End the leases of this host's earlier boots."""
        returned, lost, cancelled = self._call("previous_boots", host, boot)
        return Due(returned=returned, lost=lost, cancelled=cancelled)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _call(self, name: str, *arguments: str | float) -> Any:
        try:
            return self._scripts[name](args=[*self._header, *arguments])
        except redis.exceptions.OutOfMemoryError as error:
            raise LedgerFull("Redis has no memory left; nothing was written, and nothing is lost") from error
        except redis.exceptions.ResponseError as error:
            if str(error).startswith("MISCONF"):  # it cannot write to its disk, and so takes nothing more
                raise LedgerFull(f"Redis cannot write to its disk; nothing was written: {error}") from error
            raise
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            raise LedgerUnreachable(f"Redis does not answer: {error}") from error
