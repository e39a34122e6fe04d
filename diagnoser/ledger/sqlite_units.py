"""Who holds a unit, and how does that end? The moves of one unit, in SQLite."""

import sqlite3

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import OPEN, OVER, Claimant, Inline, JobState, Reference, Unit, UnitState
from diagnoser.ledger.settings import milliseconds
from diagnoser.ledger.sqlite_events import tell_of_job, tell_of_unit
from diagnoser.ledger.sqlite_rows import UNIT, Transaction, unit_of

HELD = """
    SELECT units.id, units.job, units.state, units.attempts, units.token, units.lease_until_ms,
    jobs.state AS job_state, jobs.cancel_requested AS cancel_requested
    FROM units JOIN jobs ON jobs.id = units.job
"""
LOST = "the machine that ran it was lost, at the last of its attempts"


def claim(at: Transaction, unit: str, *, token: str, by: Claimant) -> tuple[Answer, Unit | None]:
    """Take a unit that is pending, or whose lease has expired."""
    row = at.one(f"{HELD} WHERE units.id = ?", unit)
    answer = _may_claim(at, row, token=token)
    if row is None or answer is not Answer.OK:
        return answer, None
    if not (row["state"] == UnitState.RUNNING and row["token"] == token):  # else it has it already
        at.run(
            """
            UPDATE units SET state = 'running', attempts = attempts + 1, token = ?, worker = ?, host = ?, boot = ?,
            lease_until_ms = ?, sent_ms = NULL WHERE id = ?
            """,
            token, by.worker, by.host, by.boot, _lease_until(at), unit,
        )  # fmt: skip
        if row["job_state"] == JobState.QUEUED:
            at.run("UPDATE jobs SET state = 'running' WHERE id = ?", row["job"])
            tell_of_job(at, row["job"], state=JobState.RUNNING)
    taken = at.one(f"{UNIT} WHERE id = ?", unit)
    assert taken is not None
    return Answer.OK, unit_of(taken)


def renew(at: Transaction, unit: str, *, token: str) -> Answer:
    """Lengthen the lease."""
    row = at.one(f"{HELD} WHERE units.id = ?", unit)
    if row is None or not is_holder(row, token=token):
        return _refusal(row)
    at.run("UPDATE units SET lease_until_ms = ? WHERE id = ?", _lease_until(at), unit)
    return Answer.OK


def complete(at: Transaction, unit: str, *, token: str, result: Inline | Reference) -> Answer:
    """Keep the result of the one who holds it."""
    row = at.one(f"{HELD} WHERE units.id = ?", unit)
    if row is not None and row["state"] == UnitState.DONE and row["token"] == token:
        return Answer.OK  # told again
    if row is None or not is_holder(row, token=token):
        return _refusal(row)
    at.run(
        "UPDATE units SET state = 'done', lease_until_ms = NULL, finished_ms = ?, result = ? WHERE id = ?",
        at.now_ms, result.model_dump_json(), unit,
    )  # fmt: skip
    tell_of_unit(at, row["job"], unit=unit, state=UnitState.DONE)
    return Answer.OK


def release(at: Transaction, unit: str, *, token: str) -> Answer:
    """Give it back as if it had never been taken."""
    row = at.one(f"{HELD} WHERE units.id = ?", unit)
    if row is None or not is_holder(row, token=token):
        return _refusal(row)
    at.run("UPDATE units SET attempts = attempts - 1 WHERE id = ?", unit)
    put_back(at, row, attempts=row["attempts"] - 1, reason=Reason.WORKER_LOST, because=LOST)
    return Answer.OK


def fail(at: Transaction, unit: str, *, token: str, because: str) -> Answer:
    """Give it back as one attempt that led nowhere."""
    row = at.one(f"{HELD} WHERE units.id = ?", unit)
    if row is None or not is_holder(row, token=token):
        return _refusal(row)
    put_back(at, row, attempts=row["attempts"], reason=Reason.ENGINE_ERROR, because=because)
    return Answer.OK


def put_back(at: Transaction, row: sqlite3.Row, *, attempts: int, reason: Reason, because: str) -> UnitState:
    """End a lease without a result: pending again, cancelled if that was asked for, failed after the last attempt."""
    if row["cancel_requested"]:
        state = UnitState.CANCELLED
    elif attempts >= at.settings.attempts:
        state = UnitState.FAILED
    else:
        at.run("UPDATE units SET state = 'pending', lease_until_ms = NULL WHERE id = ?", row["id"])
        return UnitState.PENDING
    failed = state is UnitState.FAILED
    at.run(
        "UPDATE units SET state = ?, lease_until_ms = NULL, finished_ms = ?, reason = ?, because = ? WHERE id = ?",
        state, at.now_ms, reason if failed else None, because if failed else None, row["id"],
    )  # fmt: skip
    tell_of_unit(at, row["job"], unit=row["id"], state=state)
    return state


def expire(at: Transaction, row: sqlite3.Row) -> UnitState:
    """End a lease that nobody renewed."""
    return put_back(at, row, attempts=row["attempts"], reason=Reason.WORKER_LOST, because=LOST)


def is_holder(row: sqlite3.Row, *, token: str) -> bool:
    """Fencing: tell whether this token is the one that the unit was given to last."""
    return bool(row["state"] == UnitState.RUNNING and row["token"] == token)


def is_leased(at: Transaction, row: sqlite3.Row) -> bool:
    """Tell whether somebody holds the unit now."""
    return bool(row["state"] == UnitState.RUNNING and row["lease_until_ms"] > at.now_ms)


def _may_claim(at: Transaction, row: sqlite3.Row | None, *, token: str) -> Answer:
    if row is None or row["job_state"] in OVER or row["state"] not in OPEN:
        return _refusal(row)
    if is_leased(at, row):
        return Answer.OK if row["token"] == token else Answer.LEASED
    if row["token"] == token:
        return Answer.STALE  # a token that lost its lease gets no other
    if row["state"] == UnitState.RUNNING:
        after = expire(at, row)
        refused = {UnitState.FAILED: Answer.EXHAUSTED, UnitState.CANCELLED: Answer.OVER}
        return refused.get(after, Answer.OK)
    return Answer.OK


def _refusal(row: sqlite3.Row | None) -> Answer:
    if row is None:
        return Answer.UNKNOWN
    if row["job_state"] in OVER:
        return Answer.OVER
    return Answer.STALE if row["state"] in OPEN else Answer.ENDED


def _lease_until(at: Transaction) -> int:
    return at.now_ms + milliseconds(at.settings.lease_seconds)
