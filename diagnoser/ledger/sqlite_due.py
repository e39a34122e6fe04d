"""What is due: units to enqueue, leases to end, jobs that wait for a decision? In SQLite."""

import sqlite3
from collections.abc import Iterable, Mapping

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.records import Due, Load, Sent, UnitState
from diagnoser.ledger.settings import milliseconds
from diagnoser.ledger.sqlite_rows import Transaction
from diagnoser.ledger.sqlite_units import HELD, expire, put_back

MOST_AT_ONCE = 1000  # of each kind in one sweep: the next one is seconds away

STOPPED = "the process that ran it was stopped, at the last of its attempts"
TURN = """
    SELECT tenant FROM turns WHERE need = ?1
    AND EXISTS (SELECT 1 FROM units WHERE units.need = ?1 AND units.tenant = turns.tenant
                AND units.state = 'pending' AND units.sent_ms IS NULL)
    AND (SELECT COUNT(*) FROM units WHERE units.need = ?1 AND units.tenant = turns.tenant
         AND units.state = 'pending' AND units.sent_ms IS NOT NULL) < ?2
    ORDER BY served LIMIT 1
"""


def next_units(at: Transaction, *, waiting: Mapping[str, int]) -> tuple[Sent, ...]:
    """Choose from each queue: what was lost on the way, then what the tenants' turns bring."""
    needs = [row["need"] for row in at.all("SELECT DISTINCT need FROM turns ORDER BY need")]
    chosen: list[Sent] = []
    for need in needs:
        units = (*_lost_on_the_way(at, need, waiting=waiting.get(need, 0)), *_by_turns(at, need))
        chosen.extend(Sent(unit=unit, need=need) for unit in units)
    return tuple(chosen)


def _lost_on_the_way(at: Transaction, need: str, *, waiting: int) -> list[str]:
    sent = at.one(
        "SELECT COUNT(*) AS count FROM units WHERE need = ? AND state = 'pending' AND sent_ms IS NOT NULL", need
    )
    if sent is None or sent["count"] <= waiting:
        return []
    rows = at.all(
        """
        SELECT id FROM units WHERE need = ? AND state = 'pending' AND sent_ms IS NOT NULL AND sent_ms <= ? ORDER BY seq
        """,
        need, at.now_ms - milliseconds(at.settings.resend_seconds),
    )  # fmt: skip
    for row in rows:
        at.run("UPDATE units SET sent_ms = ? WHERE id = ?", at.now_ms, row["id"])
    return [row["id"] for row in rows]


def _by_turns(at: Transaction, need: str) -> list[str]:
    chosen: list[str] = []
    while (turn := at.one(TURN, need, at.settings.window)) is not None:
        row = at.one(
            """
            SELECT id FROM units WHERE need = ? AND tenant = ? AND state = 'pending' AND sent_ms IS NULL
            ORDER BY seq LIMIT 1
            """,
            need, turn["tenant"],
        )  # fmt: skip
        assert row is not None
        at.run("UPDATE units SET sent_ms = ? WHERE id = ?", at.now_ms, row["id"])
        at.run(
            "UPDATE turns SET served = (SELECT MAX(served) + 1 FROM turns) WHERE need = ? AND tenant = ?",
            need, turn["tenant"],
        )  # fmt: skip
        chosen.append(row["id"])
    return chosen


def sweep(at: Transaction) -> Due:
    """End expired leases, then look for what waits."""
    expired = at.all(
        f"{HELD} WHERE units.state = 'running' AND units.lease_until_ms <= ? LIMIT ?", at.now_ms, MOST_AT_ONCE
    )
    ended = end_leases(at, expired)
    idle = at.all(
        """
        SELECT id FROM jobs WHERE state IN ('queued', 'running') AND NOT EXISTS
        (SELECT 1 FROM units WHERE units.job = jobs.id AND units.state IN ('pending', 'running')) ORDER BY id
        """
    )
    keep = at.settings.keep_seconds
    old = [] if keep is None else at.all(
        "SELECT id FROM jobs WHERE finished_ms IS NOT NULL AND finished_ms <= ? ORDER BY id LIMIT ?",
        at.now_ms - milliseconds(keep), MOST_AT_ONCE,
    )  # fmt: skip
    return ended.model_copy(
        update={"advance": tuple(row["id"] for row in idle), "old": tuple(row["id"] for row in old)}
    )


def expire_previous_boots(at: Transaction, *, host: str, boot: str) -> Due:
    """End what this host held before it was started anew."""
    held = at.all(f"{HELD} WHERE units.state = 'running' AND units.host = ? AND units.boot <> ?", host, boot)
    return end_leases(at, held)


def end_leases(at: Transaction, rows: Iterable[sqlite3.Row]) -> Due:
    """Put back, cancel or fail each; sorted by their ids."""
    after = {row["id"]: expire(at, row) for row in rows}
    kinds = {UnitState.PENDING: "returned", UnitState.FAILED: "lost", UnitState.CANCELLED: "cancelled"}
    return Due.model_validate(
        {kind: tuple(sorted(unit for unit, state in after.items() if state is of)) for of, kind in kinds.items()}
    )


def take_back_orphans(at: Transaction) -> None:
    """Put back what was running when the process that owned the file died: nobody runs it now.

    The attempt counts, so that a unit that takes the whole process with it does not do so for ever. What was sent to a
    queue in that process's memory is sent again.
    """
    for row in at.all(f"{HELD} WHERE units.state = 'running'"):
        put_back(at, row, attempts=row["attempts"], reason=Reason.WORKER_LOST, because=STOPPED)
    at.run("UPDATE units SET sent_ms = NULL WHERE state = 'pending' AND sent_ms IS NOT NULL")


def may_reconcile(at: Transaction, owner: str) -> bool:
    """Take the turn, if it is free, expired, or this owner's."""
    row = at.one("SELECT owner, until_ms FROM reconcilers")
    if row is not None and row["owner"] != owner and row["until_ms"] > at.now_ms:
        return False
    until = at.now_ms + milliseconds(at.settings.reconcile_lock_seconds)
    at.run("INSERT OR REPLACE INTO reconcilers VALUES (1, ?, ?)", owner, until)
    return True


def loads(at: Transaction) -> tuple[Load, ...]:
    """Count, queue by queue."""
    rows = at.all(
        """
        SELECT need, COUNT(*) FILTER (WHERE state = 'pending') AS pending, COUNT(*) FILTER (WHERE state = 'running')
        AS running FROM units WHERE state IN ('pending', 'running') GROUP BY need ORDER BY need
        """
    )
    return tuple(Load(need=row["need"], pending=row["pending"], running=row["running"]) for row in rows)
