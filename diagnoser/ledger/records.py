"""What stands in the ledger: jobs, their units, their events, and the workers.

Times are milliseconds since 1970 by the ledger's own clock, never by a worker's. JSON travels as text: the ledger reads
none of it. Names are narrow, since they become parts of keys.
"""

import hashlib
import secrets
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, StringConstraints, TypeAdapter

from diagnoser.evidence.outcome import Reason
from diagnoser.records import Record

MOST_RESULT_BYTES = 64 * 1024  # a write of 1 MB stalls Redis, and so every heartbeat, for 2.3 ms (service.md, 11)
MOST_CONTENT_BYTES = 64 * 1024  # 16 trials are some 10 KB
MOST_SPEC_BYTES = 64 * 1024
MOST_IN_A_PAGE = 100  # of 64 KB each at worst: 6 MB in one answer
MOST_EVENT_BYTES = 4 * 1024
MOST_BECAUSE_BYTES = 4 * 1024
ID_DIGITS = 12  # of a unit's hash: two of 2,000 units are alike once in 10^8 jobs


def at_most(most: int) -> AfterValidator:
    """Bound a text by its bytes, which are what is stored."""

    def check(text: str) -> str:
        if len(text.encode()) > most:
            raise ValueError(f"{len(text.encode()):,} bytes, where {most:,} are allowed")
        return text

    return AfterValidator(check)


def _named(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=rf"\A(?:{pattern})\z")  # \z: `$` lets a newline through


JobId = Annotated[str, _named(r"[0-9a-f]{32}")]
UnitId = Annotated[str, _named(r"[0-9a-f]{32}/[a-z][a-z0-9_]{0,39}/[0-9a-f]{12}")]
Sha256 = Annotated[str, _named(r"[0-9a-f]{64}")]
Tenant = Annotated[str, _named(r"[a-z0-9][a-z0-9_-]{0,63}")]
Key = Annotated[str, _named(r"[!-~]{1,128}")]  # visible ASCII: it arrives in a header
Step = Annotated[str, _named(r"[a-z][a-z0-9_]{0,39}")]
Need = Annotated[str, _named(r"(?:cpu|gpu)(?:\.[a-z0-9]{1,16}){0,3}")]  # a queue; no key of the ledger begins so
Token = Annotated[str, _named(r"[!-~]{8,64}")]  # of one delivery: never used for a second
WorkerName = Annotated[str, _named(r"[!-~]{1,128}")]
Because = Annotated[str, at_most(MOST_BECAUSE_BYTES)]


class JobState(StrEnum):
    """Queued until a worker has claimed its first unit."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class UnitState(StrEnum):
    """Pending and running units are open; a trial that raised or diverged is `done`: that is its result."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})
OPEN = frozenset({UnitState.PENDING, UnitState.RUNNING})
FinalState = Literal[JobState.DONE, JobState.FAILED, JobState.CANCELLED]


class Inline(Record):
    """A result that is small enough to stand in the ledger: JSON, as text."""

    kind: Literal["inline"] = "inline"
    json_text: Annotated[str, at_most(MOST_RESULT_BYTES)]


class Reference(Record):
    """Something in the artefact store."""

    kind: Literal["stored"] = "stored"
    sha256: Sha256
    size: NonNegativeInt  # bytes


Result = Annotated[Inline | Reference, Field(discriminator="kind")]
RESULT: TypeAdapter[Inline | Reference] = TypeAdapter(Result)


class NewJob(Record):
    """What is submitted: a package of source and the text of its spec."""

    id: JobId
    tenant: Tenant
    key: Key | None = None  # of the tenant's: two submissions with the same key are one job
    package: Sha256
    spec: Annotated[str, at_most(MOST_SPEC_BYTES)]


class Job(NewJob):
    """A job as the ledger knows it."""

    state: JobState = JobState.QUEUED
    phase: Step | None = None  # the step that it is at
    version: NonNegativeInt = 0  # one more with each decision on it: what is decided on an older one is refused
    open: NonNegativeInt = 0  # units pending or running
    created_ms: int
    finished_ms: int | None = None
    cancel_requested: bool = False
    archive: Reference | None = None  # of the finished job
    reason: Reason | None = None  # why it failed
    because: Because | None = None


class NewUnit(Record):
    """Work for one child at once: a probe, or a batch of trials; which, only the worker reads."""

    step: Step
    need: Need
    content: Annotated[str, at_most(MOST_CONTENT_BYTES)]


class Unit(NewUnit):
    """A unit as the ledger knows it."""

    id: UnitId
    job: JobId
    tenant: Tenant
    state: UnitState = UnitState.PENDING
    attempts: NonNegativeInt = 0
    token: Token | None = None  # of the latest claim
    worker: WorkerName | None = None
    lease_until_ms: int | None = None  # while it is running
    created_ms: int
    finished_ms: int | None = None
    result: Result | None = None
    reason: Reason | None = None  # why it failed: worker_lost, or engine_error where a worker gave it up itself
    because: Because | None = None


class Event(Record):
    """Something that a watcher of a job is told; `id` is what `Last-Event-ID` names."""

    id: str
    at_ms: int
    kind: Step  # "job" and "unit" are the ledger's own
    data: Annotated[str, at_most(MOST_EVENT_BYTES)]


class Claimant(Record):
    """Who asks for a unit: a worker, on a host, since its boot."""

    worker: WorkerName
    host: WorkerName
    boot: WorkerName  # changes when the host starts anew: leases of the one before are nobody's


class Worker(Claimant):
    """What a worker says of itself with each heartbeat."""

    devices: tuple[str, ...] = ()
    level: str = ""  # of its sandbox
    slots: NonNegativeInt = 1
    load: NonNegativeInt = 0  # units that it runs now


class SeenWorker(Record):
    """A worker, and when it was last heard of."""

    worker: Worker
    seen_ms: int


class Due(Record):
    """What `sweep` found."""

    returned: tuple[UnitId, ...] = ()  # their leases had expired: pending again
    lost: tuple[UnitId, ...] = ()  # the same for the last time: failed
    cancelled: tuple[UnitId, ...] = ()  # the same, of a job that was cancelled meanwhile
    advance: tuple[JobId, ...] = ()  # not over, and nothing open: they wait for a decision
    old: tuple[JobId, ...] = ()  # finished long ago: to be deleted


class Sent(Record):
    """A unit to be put into its queue now."""

    unit: UnitId
    need: Need


class Load(Record):
    """How much there is to do for one queue."""

    need: Need
    pending: NonNegativeInt
    running: NonNegativeInt


class JobPage(Record):
    """Jobs, newest first, and where the next page begins; None: that was all."""

    jobs: tuple[Job, ...]
    next: str | None


class UnitPage(Record):
    """Units in the order of their insertion, and where the next page begins; None: that was all."""

    units: tuple[Unit, ...]
    next: str | None


STEP: TypeAdapter[str] = TypeAdapter(Step)
TOKEN: TypeAdapter[str] = TypeAdapter(Token)
BECAUSE: TypeAdapter[str | None] = TypeAdapter(Because | None)
"""What comes as a plain argument is checked with these before it is written: what was written must be readable."""


def new_job_id() -> str:
    """Make an id that cannot be guessed: 128 bits."""
    return secrets.token_hex(16)


def new_token() -> str:
    """Make a token for one claim."""
    return secrets.token_hex(16)


def unit_id(job: str, unit: NewUnit) -> str:
    """Name a unit by what is to be done, so that to insert it again changes nothing."""
    digest = hashlib.sha256(unit.content.encode()).hexdigest()
    return f"{job}/{unit.step}/{digest[:ID_DIGITS]}"
