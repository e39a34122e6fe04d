"""What happens to a job as a whole? From its submission to its deletion, in SQLite."""

from collections.abc import Sequence

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import OVER, FinalState, Job, JobState, NewJob, NewUnit, Reference, unit_id
from diagnoser.ledger.sqlite_events import tell_of_job
from diagnoser.ledger.sqlite_rows import JOB, Transaction, job_of


def get_job(at: Transaction, job: str) -> Job | None:
    """Give a job."""
    row = at.one(f"{JOB} WHERE id = ?", job)
    return None if row is None else job_of(row)


def submit(at: Transaction, job: NewJob) -> Job:
    """Write it down, unless it is there."""
    known = at.one(f"{JOB} WHERE id = ?", job.id)
    if known is None and job.key is not None:
        known = at.one(f"{JOB} WHERE tenant = ? AND key = ?", job.tenant, job.key)
    if known is not None:
        return job_of(known)
    at.run(
        """
        INSERT INTO jobs (id, tenant, key, package, spec, state, version, created_ms, cancel_requested)
        VALUES (?, ?, ?, ?, ?, 'queued', 0, ?, 0)
        """,
        job.id, job.tenant, job.key, job.package, job.spec, at.now_ms,
    )  # fmt: skip
    return Job(**job.model_dump(), created_ms=at.now_ms)


def insert_units(at: Transaction, job: str, *, expected_version: int, phase: str, units: Sequence[NewUnit]) -> Answer:
    """Add units, if nobody has decided anything since."""
    known = get_job(at, job)
    if known is None:
        return Answer.UNKNOWN
    if known.state in OVER or known.cancel_requested:
        return Answer.OVER
    ids = [unit_id(job, unit) for unit in units]
    if known.version != expected_version:
        there = known.phase == phase and all(at.one("SELECT 1 FROM units WHERE id = ?", unit) for unit in ids)
        return Answer.OK if there else Answer.STALE
    rows = [
        (name, job, known.tenant, unit.step, unit.need, unit.content, at.now_ms)
        for name, unit in zip(ids, units, strict=True)
    ]
    at.connection.executemany(
        """
        INSERT OR IGNORE INTO units (id, job, tenant, step, need, content, state, attempts, created_ms)
        VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?)
        """,
        rows,
    )
    for need in dict.fromkeys(unit.need for unit in units):
        at.run("INSERT OR IGNORE INTO turns SELECT ?, ?, COALESCE(MAX(served), 0) + 1 FROM turns", need, known.tenant)
    at.run("UPDATE jobs SET version = version + 1, phase = ? WHERE id = ?", phase, job)
    return Answer.OK


def cancel(at: Transaction, job: str) -> Answer:
    """Ask for the end, and end what nobody has begun."""
    known = get_job(at, job)
    if known is None:
        return Answer.UNKNOWN
    if known.state in OVER:
        return Answer.OVER
    if not known.cancel_requested:
        at.run("UPDATE jobs SET cancel_requested = 1, version = version + 1 WHERE id = ?", job)
        at.run(
            "UPDATE units SET state = 'cancelled', finished_ms = ? WHERE job = ? AND state = 'pending'", at.now_ms, job
        )
        tell_of_job(at, job, state="cancel_requested")
    return Answer.OK


def finish_job(
    at: Transaction,
    job: str,
    *,
    expected_version: int,
    state: FinalState,
    archive: Reference | None,
    reason: Reason | None,
    because: str | None,
) -> Answer:
    """End it, and all that is open with it."""
    known = get_job(at, job)
    if known is None:
        return Answer.UNKNOWN
    if known.state in OVER:
        return Answer.OK if (known.state, known.archive) == (state, archive) else Answer.OVER
    if known.version != expected_version:
        return Answer.STALE
    at.run(
        """
        UPDATE units SET state = 'cancelled', finished_ms = ?, lease_until_ms = NULL
        WHERE job = ? AND state IN ('pending', 'running')
        """,
        at.now_ms, job,
    )  # fmt: skip
    at.run(
        """
        UPDATE jobs SET state = ?, archive = ?, reason = ?, because = ?, finished_ms = ?, version = version + 1
        WHERE id = ?
        """,
        state, None if archive is None else archive.model_dump_json(), reason, because, at.now_ms, job,
    )  # fmt: skip
    tell_of_job(at, job, state=state)
    return Answer.OK


def requeue(at: Transaction, job: str) -> tuple[str, ...]:
    """Give up nothing yet: failed units are pending again, and the job is not over."""
    known = get_job(at, job)
    if known is None or known.cancel_requested or known.state is JobState.CANCELLED:
        return ()
    rows = at.all("SELECT id FROM units WHERE job = ? AND state = 'failed' ORDER BY seq", job)
    if not rows:
        return ()
    at.run(
        """
        UPDATE units SET state = 'pending', attempts = 0, finished_ms = NULL, reason = NULL, because = NULL
        WHERE job = ? AND state = 'failed'
        """,
        job,
    )
    at.run(
        """
        UPDATE jobs SET state = 'running', version = version + 1, finished_ms = NULL, archive = NULL, reason = NULL,
        because = NULL WHERE id = ?
        """,
        job,
    )
    tell_of_job(at, job, state=JobState.RUNNING)
    return tuple(row["id"] for row in rows)


def delete_job(at: Transaction, job: str) -> Answer:
    """Forget it."""
    known = get_job(at, job)
    if known is None:
        return Answer.UNKNOWN
    if known.state not in OVER:
        return Answer.NOT_OVER
    at.run("DELETE FROM events WHERE job = ?", job)
    at.run("DELETE FROM units WHERE job = ?", job)
    at.run("DELETE FROM jobs WHERE id = ?", job)
    return Answer.OK
