"""The ledger of one machine survives kill -9, has one owner, and says so when it cannot write."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from diagnoser.ledger import sqlite_file
from diagnoser.ledger.errors import LedgerFull, LedgerOwned, LedgerTooNew
from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import UnitState
from diagnoser.ledger.settings import LedgerSettings
from diagnoser.ledger.sqlite import SqliteLedger, steady_clock
from tests.helpers.ledger_work import RESULT, claimed, done, new_job, new_units, now, submitted, units_of

ROOT = Path(__file__).parents[3]

WRITER = """
import sys
from pathlib import Path
from diagnoser.ledger.settings import LedgerSettings
from diagnoser.ledger.sqlite import SqliteLedger
from tests.helpers.ledger_work import RESULT, claimed, submitted, units_of

ledger = SqliteLedger(Path(sys.argv[1]), settings=LedgerSettings())
while True:
    job = submitted(ledger, 20)
    for unit in units_of(ledger, job):
        token, _ = claimed(ledger, unit.id)
        print("claimed", unit.id, flush=True)
        ledger.complete(unit.id, token=token, result=RESULT)
        print("done", unit.id, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def opened(file: Path) -> SqliteLedger:
    return SqliteLedger(file, settings=LedgerSettings())


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_answered(file: Path) -> None:
    said: list[str] = []
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            said += [writer.stdout.readline() for _ in range(31)]
            os.kill(writer.pid, signal.SIGKILL)
            said += writer.stdout.readlines()
    words = [line.split() for line in said if line.endswith("\n")]
    ledger = opened(file)
    try:
        for word, unit in words:
            there = ledger.get_unit(unit)
            assert there is not None
            assert word == "claimed" or there.state is UnitState.DONE
            assert there.state is not UnitState.RUNNING
        assert {load.running for load in ledger.loads()} == {0}
    finally:
        ledger.close()
    with sqlite3.connect(file) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()


def test_what_was_running_when_the_process_died_is_pending_again_and_the_attempt_counts(file: Path) -> None:
    ledger = opened(file)
    job = submitted(ledger, 2)
    ledger.next_units(waiting={})
    unit, other = (unit.id for unit in units_of(ledger, job))
    for attempts in (1, 2, 3):
        token, given = claimed(ledger, unit)
        assert given.attempts == attempts
        ledger.close()
        ledger = opened(file)
        assert ledger.complete(unit, token=token, result=RESULT) is not Answer.OK
    there = ledger.get_unit(unit)
    assert there is not None
    assert there.state is UnitState.FAILED  # it may be what takes the process with it
    assert [sent.unit for sent in ledger.next_units(waiting={})] == [other]  # the queue was in that process's memory
    ledger.close()


def test_a_second_owner_is_refused_until_the_first_lets_go(file: Path) -> None:
    first = opened(file)
    with pytest.raises(LedgerOwned, match="another process"):
        opened(file)
    first.close()
    opened(file).close()


def test_a_file_from_a_newer_version_is_left_alone(file: Path) -> None:
    opened(file).close()
    with sqlite3.connect(file) as plain:
        plain.execute("PRAGMA user_version = 99")
    plain.close()
    before = file.read_bytes()
    with pytest.raises(LedgerTooNew, match="newer version"):
        opened(file)
    assert file.read_bytes() == before
    with pytest.raises(LedgerTooNew):  # and the lock was let go of
        opened(file)


def test_an_older_file_is_brought_forward_and_keeps_what_is_in_it(file: Path, monkeypatch, tmp_path: Path) -> None:
    ledger = opened(file)
    job = submitted(ledger)
    ledger.close()
    (tmp_path / "next.sql").write_text("ALTER TABLE workers ADD COLUMN note TEXT;", encoding="utf-8")
    monkeypatch.setattr(sqlite_file, "MIGRATIONS", (*sqlite_file.MIGRATIONS, str(tmp_path / "next.sql")))
    for _ in range(2):  # once is enough
        ledger = opened(file)
        assert now(ledger, job) == job
        ledger.close()
    with sqlite3.connect(file) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (len(sqlite_file.MIGRATIONS),)
        assert "note" in {row[1] for row in plain.execute("PRAGMA table_info(workers)")}
    plain.close()


def test_a_full_disk_is_said_loudly_and_nothing_is_lost(file: Path) -> None:
    ledger = opened(file)
    job = submitted(ledger, 3)
    first, second, _ = (unit.id for unit in units_of(ledger, job))
    token, _ = claimed(ledger, first)
    (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    large = [unit.model_copy(update={"content": unit.content + " " * 60_000}) for unit in new_units(3)]
    other = ledger.submit(new_job()) if pages else None
    assert other is not None
    with pytest.raises(LedgerFull, match="nothing is lost"):
        ledger.insert_units(other.id, expected_version=0, phase="lr_scan", units=large)
    assert units_of(ledger, other) == ()
    assert now(ledger, other).version == 0
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    assert ledger.complete(first, token=token, result=RESULT) is Answer.OK
    done(ledger, [second])
    assert now(ledger, job).open == 1
    ledger.close()


def test_the_file_is_its_owners_alone_and_in_the_form_that_survives(file: Path) -> None:
    ledger = opened(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ledger._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert ledger._connection.execute("PRAGMA synchronous").fetchone()[0] == 1
    assert ledger._connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
    ledger.close()


def test_threads_share_one_ledger(file: Path) -> None:
    ledger = opened(file)
    job = submitted(ledger, 40)
    units = [unit.id for unit in units_of(ledger, job)]
    threads = [threading.Thread(target=done, args=(ledger, units[start::4])) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert now(ledger, job).open == 0
    assert ledger.sweep().advance == (job.id,)
    ledger.close()


def test_the_clock_never_jumps_when_the_day_is_set_anew(monkeypatch) -> None:
    clock = steady_clock()
    before = clock()
    monkeypatch.setattr("time.time_ns", lambda: 0)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert 0 <= clock() - before < 60_000
