"""Jobs, units and workers for tests of a ledger."""

from collections.abc import Sequence

from diagnoser.ledger.protocol import Answer, Ledger
from diagnoser.ledger.records import Claimant, Inline, Job, NewJob, NewUnit, Unit, new_job_id, new_token

WORKER = Claimant(worker="gpu0@tower", host="tower", boot="one")
RESULT = Inline(json_text='{"loss": "NaN"}')


def new_job(tenant: str = "ann", *, key: str | None = None) -> NewJob:
    return NewJob(id=new_job_id(), tenant=tenant, key=key, package="0" * 64, spec="name: it\n")


def new_units(count: int, *, need: str = "gpu", step: str = "lr_scan") -> tuple[NewUnit, ...]:
    return tuple(NewUnit(step=step, need=need, content=f'{{"seed": {number}}}') for number in range(count))


def submitted(ledger: Ledger, units: int = 1, *, tenant: str = "ann", need: str = "gpu") -> Job:
    """A job whose first phase has that many units."""
    job = ledger.submit(new_job(tenant))
    inserted = ledger.insert_units(
        job.id, expected_version=job.version, phase="lr_scan", units=new_units(units, need=need)
    )
    assert inserted is Answer.OK
    return now(ledger, job)


def now(ledger: Ledger, job: Job) -> Job:
    """The job as it stands."""
    there = ledger.get_job(job.id, tenant=job.tenant)
    assert there is not None
    return there


def units_of(ledger: Ledger, job: Job) -> tuple[Unit, ...]:
    """All units of a job, page by page."""
    found: list[Unit] = []
    after = None
    while True:
        page = ledger.units(job.id, after=after, limit=100)
        found += page.units
        after = page.next
        if after is None:
            return tuple(found)


def claimed(ledger: Ledger, unit: str, *, by: Claimant = WORKER) -> tuple[str, Unit]:
    """Take a unit; the token, and the unit."""
    token = new_token()
    answer, given = ledger.claim(unit, token=token, by=by)
    assert answer is Answer.OK
    assert given is not None
    return token, given


def done(ledger: Ledger, units: Sequence[str]) -> None:
    """Take and complete each."""
    for unit in units:
        token, _ = claimed(ledger, unit)
        assert ledger.complete(unit, token=token, result=RESULT) is Answer.OK
