"""What may be asked of a ledger? The rules that both back ends keep, held by one stateful test (tests/ledger).

Every method is one transaction. **Every call may be made again**: after a lost answer it changes nothing more, but for
`append_event`, which then tells twice, and `next_units`, whose units come again after `resend_seconds`.

Covers: machines and processes that die, calls made twice or too late, workers whose clock is wrong.
Does not cover: who may ask (the gateway's tokens), and loss of the store itself (the gateway's log of submissions).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.records import (
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
from diagnoser.ledger.settings import LedgerSettings


class Answer(StrEnum):
    """Done, or why not. A refusal is an ordinary answer: messages are doubled and workers come back from the dead."""

    OK = "ok"
    UNKNOWN = "unknown"  # no such job or unit
    OVER = "over"  # the job is over, or was cancelled
    ENDED = "ended"  # the unit is done, failed or cancelled
    LEASED = "leased"  # another worker holds it
    STALE = "stale"  # the token or the version is not the current one: somebody else has gone on
    EXHAUSTED = "exhausted"  # claimed once too often: the unit is failed now
    NOT_OVER = "not_over"  # the job must be finished first


class Ledger(Protocol):
    """Jobs, units, events and workers. Use it as long as the process lives, from any of its threads."""

    settings: LedgerSettings

    # Jobs

    def submit(self, job: NewJob) -> Job:
        """Write down a job, and give it as it stands.

        A job of the same id, or of the same tenant and key, is given back instead: compare its `id`, and its package
        and spec where one key must not mean two things.
        """

    def get_job(self, job: str, *, tenant: str | None) -> Job | None:
        """Give a job, if it is this tenant's; None as the tenant: whosever it is."""

    def list_jobs(self, tenant: str, *, after: str | None, limit: int) -> JobPage:
        """Give a tenant's jobs, newest first, from where the page before ended.

        Raises ValueError when `after` is not what an earlier page gave.
        """

    def cancel(self, job: str) -> Answer:
        """Ask for the end of a job: its pending units are cancelled, its running ones are left to their workers."""

    def cancel_requested(self, job: str) -> bool:
        """Tell whether nobody waits any more for the units of this job: cancelled, over, or deleted."""

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
        """End a job as seen at that version. What is still open is cancelled, and its workers' tokens are void."""

    def requeue(self, job: str) -> tuple[str, ...]:
        """Give the failed units of a job their attempts back, and open it again if it is over; none if cancelled."""

    def delete_job(self, job: str) -> Answer:
        """Forget a job that is over, with its units, its events and its key."""

    # Units

    def insert_units(self, job: str, *, expected_version: int, phase: str, units: Sequence[NewUnit]) -> Answer:
        """Add the units of a phase, as decided at that version. A unit that is there already is left as it is.

        OK as well when all of them are there at a newer version: the same decision, made twice.
        """

    def get_unit(self, unit: str) -> Unit | None:
        """Give a unit."""

    def units(self, job: str, *, after: str | None, limit: int) -> UnitPage:
        """Give the units of a job in the order of their insertion, from where the page before ended."""

    def failed_units(self, *, limit: int) -> tuple[Unit, ...]:
        """Give the units that were given up, the latest first: for an administrator, who may `requeue` their job."""

    def claim(self, unit: str, *, token: str, by: Claimant) -> tuple[Answer, Unit | None]:
        """Take a unit for a lease; it comes with OK alone. The same token gets the same answer while that lasts."""

    def renew(self, unit: str, *, token: str) -> Answer:
        """Hold a unit for another lease. Anything but OK means: you are a zombie, end the child."""

    def complete(self, unit: str, *, token: str, result: Inline | Reference) -> Answer:
        """Give the result, once: of two that believe they hold the unit, the one whose token is current is heard.

        Also after the lease expired, as long as nobody else has taken the unit: the work is done.
        """

    def release(self, unit: str, *, token: str) -> Answer:
        """Put a unit back because the worker must stop: the attempt does not count."""

    def fail(self, unit: str, *, token: str, because: str) -> Answer:
        """Put a unit back because this worker could not do it: the attempt counts, and the last one fails the unit."""

    # What is due

    def next_units(self, *, waiting: Mapping[str, int]) -> tuple[Sent, ...]:
        """Choose what to enqueue now, and note it as sent. To be called after an insert, a claim and a sweep.

        Fair: tenants take turns, and each has at most `window` units in a queue that nobody has claimed yet. A unit
        that was sent `resend_seconds` ago comes again, unless `waiting`, the present length of its queue, accounts
        for all that were sent to it.
        """

    def sweep(self) -> Due:
        """End the leases that have expired, and tell what waits for somebody."""

    def may_reconcile(self, owner: str) -> bool:
        """Tell whether it is this owner who sweeps now; it stays so for `reconcile_lock_seconds` from each call."""

    def loads(self) -> tuple[Load, ...]:
        """Count the units pending and running, by queue."""

    # Events

    def append_event(self, job: str, *, kind: str, data: str) -> Answer:
        """Tell the watchers of a job something; `data` is JSON of at most 4 KB."""

    def events(self, job: str, *, after: str | None, limit: int) -> tuple[Event, ...]:
        """Give what was told since the event of that id, oldest first; about the last `events_kept` are there.

        Raises ValueError when `after` has not the form of an event's id.
        """

    # Workers

    def beat(self, worker: Worker) -> None:
        """Say that a worker lives; to be repeated every `renew_seconds`."""

    def workers(self) -> tuple[SeenWorker, ...]:
        """Give the workers that were heard of within `worker_seconds`."""

    def expire_previous_boots(self, *, host: str, boot: str) -> Due:
        """End the leases taken on this host before its present boot: their processes are gone."""

    def close(self) -> None:
        """Let go of files and connections."""
