"""Does a ledger keep its rules, whatever is asked of it in whatever order? A machine for hypothesis, for any back end.

Two laws are checked first, on the answers: nobody gets a unit that another holds, and nobody is heard but the last
who was given it. The rest is comparison with tests/helpers/ledger_model.py.
"""

import json
from collections.abc import Callable
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.protocol import Answer, Ledger
from diagnoser.ledger.records import Claimant, FinalState, Inline, JobState, NewJob, NewUnit
from diagnoser.ledger.settings import LedgerSettings
from tests.helpers.ledger_model import OVER, Model

# So long that the time which really passes while a test runs decides nothing; no sum of TIMES lies just below one.
SETTINGS = LedgerSettings(
    lease_seconds=1000,
    renew_seconds=250,
    resend_seconds=1500,
    reconcile_lock_seconds=600,
    worker_seconds=700,
    keep_seconds=5000,
    window=2,
)
TIMES = (400, 1001, 1600)

JOBS = tuple(f"{number:032x}" for number in range(4))
CLAIMANTS = tuple(
    Claimant(worker=f"{host}-{boot}", host=host, boot=boot) for host in ("tower", "attic") for boot in ("one", "two")
)
UNITS = tuple(
    NewUnit(step="lr_scan", need=need, content=f'"{n}"') for n, need in enumerate(("cpu", "gpu", "cpu", "gpu.80g"))
)
NO_JOB = "f" * 32
NO_UNIT = f"{NO_JOB}/lr_scan/{'0' * 12}"
FINAL: tuple[FinalState, ...] = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

DECISIONS = ("cancel", "finish", "finish", "requeue", "requeue", "delete")
NOBODYS = 11  # the place of a job or unit that is not there
which = st.integers(0, NOBODYS)


class Bench(Protocol):
    """A ledger to be tried, and its time."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""

    def pass_time(self, seconds: int) -> None:
        """Let the ledger's clock go on."""

    def close(self) -> None:
        """Let go of everything."""


class LedgerMachine(RuleBasedStateMachine):
    """Anybody asks anything of the ledger, in any order."""

    make_bench: Callable[[], Bench]

    def __init__(self) -> None:
        super().__init__()
        self.bench = type(self).make_bench()
        self.ledger = self.bench.ledger
        self.model = Model(SETTINGS)
        self.granted: list[tuple[str, str]] = []  # (unit, token), in the order in which they were given
        self.held_until: dict[str, tuple[str, float]] = {}  # by what was answered alone
        self.touched: set[str] = set()
        self.tokens = 0

    def teardown(self) -> None:
        self.bench.close()

    @initialize(units=st.lists(st.sampled_from(UNITS), min_size=1, max_size=3))
    def begin(self, units: list[NewUnit]) -> None:
        """Most trouble needs two jobs with a unit, so there are two nearly always."""
        for pick, tenant in enumerate(("ann", "bob")):
            self.submit(JOBS[pick], tenant=tenant, key=None)
            self.insert(pick, late=False, phase="lr_scan", units=units)

    @rule(
        job=st.sampled_from(JOBS),
        tenant=st.sampled_from(("ann", "bob")),
        key=st.sampled_from((None, "first", "second")),
    )
    def submit(self, job: str, tenant: str, key: str | None) -> None:
        tenant = self.model.jobs[job].new.tenant if job in self.model.jobs else tenant
        new = NewJob(id=job, tenant=tenant, key=key, package="0" * 64, spec="name: it")
        there = self.ledger.submit(new)
        assert there.id == self.model.submit(new)
        self.touched.add(there.id)

    @rule(
        pick=which,
        late=st.booleans(),
        phase=st.sampled_from(("lr_scan", "curves")),
        units=st.lists(st.sampled_from(UNITS), max_size=4),
    )
    def insert(self, pick: int, late: bool, phase: str, units: list[NewUnit]) -> None:
        job = self.some_job(pick)
        version = max(0, self.version(job) - late)
        answer = self.ledger.insert_units(job, expected_version=version, phase=phase, units=units)
        assert answer is self.model.insert(job, expected_version=version, phase=phase, units=units)
        self.touched.add(job)

    @rule(pick=which, by=st.sampled_from(CLAIMANTS), again=st.booleans())
    def claim(self, pick: int, by: Claimant, again: bool) -> None:
        unit = self.some_unit(pick)
        known = self.model.units.get(unit)
        token = known.token if again and known is not None and known.token is not None else self.new_token()
        answer, given = self.ledger.claim(unit, token=token, by=by)
        holder, until = self.held_until.get(unit, (token, 0.0))
        if holder != token and until > self.model.now:
            assert answer is Answer.LEASED, "a live lease was not respected"
        if answer is Answer.OK:
            self.held_until[unit] = token, self.model.now + SETTINGS.lease_seconds
            assert given is not None
            assert (given.id, given.token) == (unit, token)
            if (unit, token) not in self.granted:
                self.granted.append((unit, token))
        assert answer is self.model.claim(unit, token=token, by=by)
        self.touched.add(unit.partition("/")[0])

    @rule(
        pick=which,
        by=st.sampled_from(CLAIMANTS),
        times=st.integers(1, SETTINGS.attempts),
        swept=st.booleans(),
        meanwhile=st.sampled_from(("nothing", "cancel", "requeue")),
    )
    def outlive(self, pick: int, by: Claimant, times: int, swept: bool, meanwhile: str) -> None:
        """Whoever takes a unit is silent for too long; then comes the sweep, or another worker before it."""
        job = self.some_unit(pick).partition("/")[0]
        for _ in range(times):
            self.claim(pick, by=by, again=False)
            if meanwhile == "cancel":
                self.cancel(job)
            self.pass_time(TIMES[1])
            if swept:
                self.sweep()
        self.claim(pick, by=by, again=False)
        if meanwhile == "requeue":
            self.requeue(job)

    @precondition(lambda self: self.granted)
    @rule(pick=which)
    def renew(self, pick: int) -> None:
        unit, token = self.some_grant(pick)
        answer = self.ledger.renew(unit, token=token)
        self.only_the_latest(unit, token, answer)
        if answer is Answer.OK:
            self.held_until[unit] = token, self.model.now + SETTINGS.lease_seconds
        assert answer is self.model.renew(unit, token=token)

    @precondition(lambda self: self.granted)
    @rule(pick=which, text=st.sampled_from(("{}", '{"loss": "NaN"}')))
    def complete(self, pick: int, text: str) -> None:
        unit, token = self.some_grant(pick)
        answer = self.ledger.complete(unit, token=token, result=Inline(json_text=text))
        self.only_the_latest(unit, token, answer)
        assert answer is self.model.complete(unit, token=token, result=text)
        self.let_go(unit)

    @precondition(lambda self: self.granted)
    @rule(pick=which, counted=st.booleans())
    def give_back(self, pick: int, counted: bool) -> None:
        unit, token = self.some_grant(pick)
        if counted:
            answer = self.ledger.fail(unit, token=token, because="no room on the disk")
        else:
            answer = self.ledger.release(unit, token=token)
        self.only_the_latest(unit, token, answer)
        assert answer is self.model.give_back(unit, token=token, counted=counted)
        self.let_go(unit)

    @rule(pick=which, how=st.sampled_from(DECISIONS), late=st.booleans(), state=st.sampled_from(FINAL))
    def decide(self, pick: int, how: str, late: bool, state: FinalState) -> None:
        """Cancel, finish, send again or delete a job."""
        job = self.some_job(pick)
        if how == "cancel":
            self.cancel(job)
        elif how == "requeue":
            self.requeue(job)
        elif how == "finish":
            self.finish(job, late=late, state=state)
        else:
            assert self.ledger.delete_job(job) is self.model.delete(job)
            if job not in self.model.jobs:
                self.granted = [grant for grant in self.granted if not grant[0].startswith(job)]
        self.let_go_of_what_is_over()
        self.touched.add(job)

    def cancel(self, job: str) -> None:
        assert self.ledger.cancel(job) is self.model.cancel(job)
        self.touched.add(job)

    def requeue(self, job: str) -> None:
        assert self.ledger.requeue(job) == self.model.requeue(job)
        self.touched.add(job)

    def finish(self, job: str, *, late: bool, state: FinalState) -> None:
        version = max(0, self.version(job) - late)
        answer = self.ledger.finish_job(
            job, expected_version=version, state=state, archive=None, reason=Reason.ENGINE_ERROR, because="it is so"
        )
        assert answer is self.model.finish(job, expected_version=version, state=state)

    @rule(seconds=st.sampled_from(TIMES))
    def pass_time(self, seconds: int) -> None:
        self.bench.pass_time(seconds)
        self.model.now += seconds

    @rule()
    def sweep(self) -> None:
        assert self.ledger.sweep() == self.model.sweep()
        self.let_go_of_what_is_over()
        self.touched |= set(JOBS)

    @rule(host=st.sampled_from(("tower", "attic")), boot=st.sampled_from(("one", "two")))
    def reboot(self, host: str, boot: str) -> None:
        ended = self.ledger.expire_previous_boots(host=host, boot=boot)
        assert ended == self.model.previous_boots(host=host, boot=boot)
        self.let_go_of_what_is_over()
        self.touched |= set(JOBS)

    @rule(length=st.sampled_from((0, 0, 1, 9)))
    def next_units(self, length: int) -> None:
        waiting = dict.fromkeys(("cpu", "gpu"), length)
        assert self.ledger.next_units(waiting=waiting) == self.model.next_units(waiting=waiting)

    @rule(pick=which)
    def append_event(self, pick: int) -> None:
        job = self.some_job(pick)
        answer = self.ledger.append_event(job, kind="progress", data='{"state": "said"}')
        assert (answer is Answer.OK) == (job in self.model.jobs)
        if answer is Answer.OK:
            self.model.jobs[job].events.append(("progress", "said"))

    @invariant()
    def compare(self) -> None:
        """What was touched stands as the model says."""
        for job in sorted(self.touched):
            self.compare_job(job)
        self.touched.clear()

    def compare_job(self, job: str) -> None:
        there, known = self.ledger.get_job(job, tenant=None), self.model.jobs.get(job)
        assert self.ledger.cancel_requested(job) == (known is None or known.cancel_requested or known.state in OVER)
        if known is None:
            assert there is None
            assert self.ledger.units(job, after=None, limit=100).units == ()
            return
        assert there is not None
        assert (there.state, there.version, there.phase) == (known.state, known.version, known.phase)
        assert there.cancel_requested == known.cancel_requested
        assert there.open == len(self.model.open_units(job)), "the count of open units is wrong"
        assert (there.finished_ms is None) == (known.finished is None)
        units = self.ledger.units(job, after=None, limit=100).units
        expected = [unit for unit in self.model.units.values() if unit.job == job]
        assert [unit.id for unit in units] == [unit.id for unit in expected]
        for unit, model in zip(units, expected, strict=True):
            assert (unit.state, unit.attempts, unit.token) == (model.state, model.attempts, model.token)
            assert unit.attempts <= SETTINGS.attempts
            assert (unit.lease_until_ms is not None) == (unit.state == "running")
            assert unit.reason == model.reason
            assert (unit.result.json_text if isinstance(unit.result, Inline) else None) == model.result
        events = [(event.kind, event.data) for event in self.ledger.events(job, after=None, limit=100)]
        told = [(kind, json.loads(data)["state"]) for kind, data in events]
        assert told == known.events[: len(told)]
        assert len(told) == min(100, len(known.events))

    @invariant()
    def everything_is_on_one_list(self) -> None:
        """What is pending or running is counted once, in its queue."""
        expected: dict[str, tuple[int, int]] = {}
        for unit in self.model.units.values():
            if unit.state in {"pending", "running"}:
                pending, running = expected.get(unit.need, (0, 0))
                expected[unit.need] = pending + (unit.state == "pending"), running + (unit.state == "running")
        assert {load.need: (load.pending, load.running) for load in self.ledger.loads()} == expected

    def version(self, job: str) -> int:
        return self.model.jobs[job].version if job in self.model.jobs else 0

    def some_job(self, pick: int) -> str:
        jobs = list(self.model.jobs)
        return jobs[pick % len(jobs)] if jobs and pick != NOBODYS else NO_JOB

    def some_unit(self, pick: int) -> str:
        units = list(self.model.units)
        return units[pick % len(units)] if units and pick != NOBODYS else NO_UNIT

    def some_grant(self, pick: int) -> tuple[str, str]:
        return self.granted[-1 - pick % len(self.granted)]  # 0: the latest

    def new_token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens:04}"

    def only_the_latest(self, unit: str, token: str, answer: Answer) -> None:
        latest = [last for name, last in self.granted if name == unit][-1]
        assert answer is not Answer.OK or token == latest, "a stale token was accepted"

    def let_go(self, unit: str) -> None:
        self.let_go_of_what_is_over()
        self.touched.add(unit.partition("/")[0])

    def let_go_of_what_is_over(self) -> None:
        """Forget who held what the model says nobody holds."""
        running = {name for name, unit in self.model.units.items() if unit.state == "running"}
        self.held_until = {unit: held for unit, held in self.held_until.items() if unit in running}
