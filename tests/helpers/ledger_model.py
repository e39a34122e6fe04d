"""What should a ledger answer? The rules of diagnoser/ledger/protocol.py over plain dictionaries: slow, and easy to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import Claimant, Due, NewJob, NewUnit, Sent, unit_id
from diagnoser.ledger.settings import LedgerSettings

OVER = {"done", "failed", "cancelled"}
OPEN = {"pending", "running"}


@dataclass
class ModelJob:
    new: NewJob
    state: str = "queued"
    version: int = 0
    phase: str | None = None
    cancel_requested: bool = False
    finished: float | None = None
    events: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class ModelUnit:
    id: str
    job: str
    tenant: str
    need: str
    place: int
    state: str = "pending"
    attempts: int = 0
    token: str | None = None
    by: Claimant | None = None
    until: float = 0
    sent: float | None = None
    result: str | None = None
    reason: str | None = None


class Model:
    """A ledger that holds everything in lists and searches all of it for every answer."""

    def __init__(self, settings: LedgerSettings) -> None:
        self.settings = settings
        self.now = 0.0
        self.jobs: dict[str, ModelJob] = {}  # in the order of submission
        self.units: dict[str, ModelUnit] = {}  # in the order of insertion
        self.turns: dict[str, list[str]] = {}  # need -> tenants, who was served longest ago first
        self.inserted = 0

    def submit(self, job: NewJob) -> str:
        if job.id in self.jobs:
            return job.id
        for known in self.jobs.values():
            if job.key is not None and (known.new.tenant, known.new.key) == (job.tenant, job.key):
                return known.new.id
        self.jobs[job.id] = ModelJob(job)
        return job.id

    def open_units(self, job: str) -> list[ModelUnit]:
        return [unit for unit in self.units.values() if unit.job == job and unit.state in OPEN]

    def insert(self, job: str, *, expected_version: int, phase: str, units: Sequence[NewUnit]) -> Answer:
        known = self.jobs.get(job)
        if known is None:
            return Answer.UNKNOWN
        if known.state in OVER or known.cancel_requested:
            return Answer.OVER
        if known.version != expected_version:
            again = known.phase == phase and all(unit_id(job, unit) in self.units for unit in units)
            return Answer.OK if again else Answer.STALE
        for unit in units:
            name = unit_id(job, unit)
            ring = self.turns.setdefault(unit.need, [])
            if known.new.tenant not in ring:
                ring.append(known.new.tenant)
            if name not in self.units:
                self.inserted += 1
                self.units[name] = ModelUnit(name, job, known.new.tenant, unit.need, self.inserted)
        known.version += 1
        known.phase = phase
        return Answer.OK

    def refusal(self, unit: ModelUnit | None) -> Answer:
        if unit is None:
            return Answer.UNKNOWN
        if self.jobs[unit.job].state in OVER:
            return Answer.OVER
        return Answer.STALE if unit.state in OPEN else Answer.ENDED

    def claim(self, name: str, *, token: str, by: Claimant) -> Answer:
        unit = self.units.get(name)
        if unit is None or self.jobs[unit.job].state in OVER or unit.state not in OPEN:
            return self.refusal(unit)
        job = self.jobs[unit.job]
        if unit.state == "running" and unit.until > self.now:
            return Answer.OK if unit.token == token else Answer.LEASED
        if unit.token == token:
            return Answer.STALE
        if unit.state == "running":
            self.put_back(unit, "worker_lost")
            if unit.state != "pending":
                return Answer.EXHAUSTED if unit.state == "failed" else Answer.OVER
        unit.state, unit.token, unit.by, unit.sent = "running", token, by, None
        unit.attempts += 1
        unit.until = self.now + self.settings.lease_seconds
        if job.state == "queued":
            job.state = "running"
            job.events.append(("job", "running"))
        return Answer.OK

    def put_back(self, unit: ModelUnit, reason: str) -> None:
        job = self.jobs[unit.job]
        if job.cancel_requested:
            unit.state = "cancelled"
        elif unit.attempts >= self.settings.attempts:
            unit.state, unit.reason = "failed", reason
        else:
            unit.state = "pending"
            return
        job.events.append(("unit", unit.state))

    def holder(self, name: str, token: str) -> ModelUnit | None:
        unit = self.units.get(name)
        return unit if unit is not None and unit.state == "running" and unit.token == token else None

    def renew(self, name: str, *, token: str) -> Answer:
        unit = self.holder(name, token)
        if unit is None:
            return self.refusal(self.units.get(name))
        unit.until = self.now + self.settings.lease_seconds
        return Answer.OK

    def complete(self, name: str, *, token: str, result: str) -> Answer:
        unit = self.units.get(name)
        if unit is not None and unit.state == "done" and unit.token == token:
            return Answer.OK
        unit = self.holder(name, token)
        if unit is None:
            return self.refusal(self.units.get(name))
        unit.state, unit.result = "done", result
        self.jobs[unit.job].events.append(("unit", "done"))
        return Answer.OK

    def give_back(self, name: str, *, token: str, counted: bool) -> Answer:
        unit = self.holder(name, token)
        if unit is None:
            return self.refusal(self.units.get(name))
        unit.attempts -= not counted
        self.put_back(unit, "engine_error" if counted else "worker_lost")
        return Answer.OK

    def cancel(self, job: str) -> Answer:
        known = self.jobs.get(job)
        if known is None:
            return Answer.UNKNOWN
        if known.state in OVER:
            return Answer.OVER
        if not known.cancel_requested:
            known.cancel_requested = True
            known.version += 1
            for unit in self.open_units(job):
                if unit.state == "pending":
                    unit.state = "cancelled"
            known.events.append(("job", "cancel_requested"))
        return Answer.OK

    def finish(self, job: str, *, expected_version: int, state: str) -> Answer:
        known = self.jobs.get(job)
        if known is None:
            return Answer.UNKNOWN
        if known.state in OVER:
            return Answer.OK if known.state == state else Answer.OVER
        if known.version != expected_version:
            return Answer.STALE
        for unit in self.open_units(job):
            unit.state = "cancelled"
        known.state, known.finished = state, self.now
        known.version += 1
        known.events.append(("job", state))
        return Answer.OK

    def requeue(self, job: str) -> tuple[str, ...]:
        known = self.jobs.get(job)
        if known is None or known.cancel_requested or known.state == "cancelled":
            return ()
        failed = [unit for unit in self.units.values() if unit.job == job and unit.state == "failed"]
        for unit in failed:
            unit.state, unit.attempts, unit.reason, unit.sent = "pending", 0, None, None
        if failed:
            known.state, known.finished = "running", None
            known.version += 1
            known.events.append(("job", "running"))
        return tuple(unit.id for unit in failed)

    def delete(self, job: str) -> Answer:
        if job not in self.jobs:
            return Answer.UNKNOWN
        if self.jobs[job].state not in OVER:
            return Answer.NOT_OVER
        del self.jobs[job]
        self.units = {name: unit for name, unit in self.units.items() if unit.job != job}
        return Answer.OK

    def sweep(self) -> Due:
        expired = [unit for unit in self.units.values() if unit.state == "running" and unit.until <= self.now]
        ended = self.end_leases(expired)
        idle = [job for job, known in self.jobs.items() if known.state not in OVER and not self.open_units(job)]
        keep = self.settings.keep_seconds or float("inf")
        old = [job for job, k in self.jobs.items() if k.finished is not None and k.finished <= self.now - keep]
        return ended.model_copy(update={"advance": tuple(sorted(idle)), "old": tuple(sorted(old))})

    def previous_boots(self, *, host: str, boot: str) -> Due:
        held = [unit for unit in self.units.values() if unit.state == "running" and unit.by is not None]
        return self.end_leases([u for u in held if u.by is not None and u.by.host == host and u.by.boot != boot])

    def end_leases(self, units: Sequence[ModelUnit]) -> Due:
        for unit in units:
            self.put_back(unit, "worker_lost")
        after = {state: tuple(sorted(u.id for u in units if u.state == state)) for state in (*OVER, "pending")}
        return Due(returned=after["pending"], lost=after["failed"], cancelled=after["cancelled"])

    def next_units(self, *, waiting: Mapping[str, int]) -> tuple[Sent, ...]:
        chosen: list[ModelUnit] = []
        for need in sorted(self.turns):
            pending = [unit for unit in self.units.values() if unit.state == "pending" and unit.need == need]
            sent = [unit for unit in pending if unit.sent is not None]
            if len(sent) > waiting.get(need, 0):
                late = [u for u in sent if u.sent is not None and u.sent <= self.now - self.settings.resend_seconds]
                chosen += self.send(late)
            while (turn := self.turn(need)) is not None:
                chosen += self.send([turn])
        return tuple(Sent(unit=unit.id, need=unit.need) for unit in chosen)

    def send(self, units: list[ModelUnit]) -> list[ModelUnit]:
        for unit in units:
            unit.sent = self.now
        return units

    def turn(self, need: str) -> ModelUnit | None:
        """The first unit of the tenant who was served longest ago, of those with one that waits and room for it."""
        for tenant in self.turns[need]:
            mine = [u for u in self.units.values() if (u.state, u.need, u.tenant) == ("pending", need, tenant)]
            waits = [unit for unit in mine if unit.sent is None]
            if waits and len(mine) - len(waits) < self.settings.window:
                self.turns[need].remove(tenant)
                self.turns[need].append(tenant)
                return min(waits, key=lambda unit: unit.place)
        return None
