"""Redis is killed, or full, or gone: nothing that was answered is lost, and what cannot be done is said loudly."""

import threading
import time
from functools import partial
from pathlib import Path

import pytest

from diagnoser.ledger.errors import LedgerFull, LedgerUnreachable
from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import Inline, JobState, UnitState, new_token
from diagnoser.ledger.settings import LedgerSettings
from tests.helpers.ledger_work import RESULT, WORKER, claimed, done, new_job, new_units, now, submitted, units_of
from tests.helpers.redis_server import SHIPPED, Server, redis_server
from workers.ledger.redis import RedisLedger


def some_work(ledger: RedisLedger):
    """A job with a unit in each state that can be lost, and all that may be read of it."""
    job = submitted(ledger, 4)
    first, second, third, _ = (unit.id for unit in units_of(ledger, job))
    done(ledger, [first])
    claimed(ledger, second)
    ledger.next_units(waiting={})
    token, _ = claimed(ledger, third)
    ledger.release(third, token=token)
    ledger.append_event(job.id, kind="progress", data="{}")
    return job


def everything(ledger: RedisLedger, job):
    return (now(ledger, job), units_of(ledger, job), ledger.events(job.id, after=None, limit=100), ledger.loads())


def test_kill_9_and_a_restart_with_the_shipped_files_lose_nothing(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        ledger = RedisLedger(server.url(), settings=LedgerSettings())
        jobs = [some_work(ledger) for _ in range(5)]
        before = [everything(ledger, job) for job in jobs]
        server.kill()
        server.start()
        assert [everything(ledger, job) for job in jobs] == before
        assert [unit.need for unit in ledger.next_units(waiting={})] == []  # still noted as sent
        assert "NOPERM" not in server.said()
        ledger.close()


def test_every_unit_is_done_once_while_redis_is_killed_under_its_workers(tmp_path: Path) -> None:
    """A call whose answer was lost is made again, by redis-py and by the worker, with the same token."""
    with redis_server(tmp_path) as server:
        ledger = RedisLedger(server.url(), settings=LedgerSettings())
        job = submitted(ledger, 120)
        units = [unit.id for unit in units_of(ledger, job)]
        answers: list[Answer] = []

        def work(mine: list[str]) -> None:
            for unit in mine:
                token = new_token()
                answers.append(until_answered(partial(ledger.claim, unit, token=token, by=WORKER))[0])
                answers.append(until_answered(partial(ledger.complete, unit, token=token, result=RESULT)))

        threads = [threading.Thread(target=work, args=(units[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for share in (3, 2):
            while len(answers) < 2 * len(units) // share:
                time.sleep(0.001)
            server.kill()
            server.start()
        for thread in threads:
            thread.join()
        assert set(answers) == {Answer.OK}
        assert {(unit.state, unit.attempts) for unit in units_of(ledger, job)} == {(UnitState.DONE, 1)}
        assert ledger.sweep().advance == (job.id,)
        events = [*ledger.events(job.id, after=None, limit=100)]
        events += ledger.events(job.id, after=events[-1].id, limit=100)
        assert len([event for event in events if event.kind == "unit"]) == len(units)
        ledger.close()


def until_answered(call):
    while True:
        try:
            return call()
        except LedgerUnreachable:
            time.sleep(0.01)


def test_the_shipped_line_for_the_default_user_is_what_keeps_it(tmp_path: Path) -> None:
    """With a bare `off` Redis drops each script that wrote twice when it reads its file: why users.acl begins as it does."""
    lines = (SHIPPED / "users.acl").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "user default off resetpass ~* &* +@all"
    with redis_server(tmp_path, acl="\n".join(["user default off", *lines[1:]]) + "\n") as server:
        ledger = RedisLedger(server.url(), settings=LedgerSettings())
        job = some_work(ledger)
        server.kill()
        server.start()
        assert ledger.get_job(job.id, tenant=None) is None
        assert "NOPERM" in server.said()
        ledger.close()


def test_a_full_redis_refuses_new_work_loudly_and_lets_the_running_go_on(ledger: RedisLedger, server: Server) -> None:
    job = submitted(ledger, 3)
    first, second, _ = (unit.id for unit in units_of(ledger, job))
    old = submitted(ledger, 1)
    token, _ = claimed(ledger, first)
    before = units_of(ledger, job)[1:]
    admin = server.admin()
    admin.config_set("maxmemory", "1")
    with pytest.raises(LedgerFull, match="nothing is lost"):
        ledger.submit(new_job(key="k"))
    with pytest.raises(LedgerFull):
        ledger.insert_units(job.id, expected_version=job.version, phase="curves", units=new_units(50))
    with pytest.raises(LedgerFull):
        ledger.claim(second, token="t" * 8, by=WORKER)
    with pytest.raises(LedgerFull):
        ledger.complete(first, token=token, result=Inline(json_text="{}"))
    assert ledger.renew(first, token=token) is Answer.OK
    assert units_of(ledger, job)[1:] == before
    assert now(ledger, job).open == 3
    finished = ledger.finish_job(
        old.id, expected_version=old.version, state=JobState.DONE, archive=None, reason=None, because=None
    )
    assert (finished, ledger.delete_job(old.id)) == (Answer.OK, Answer.OK)  # which is how room is made
    admin.config_set("maxmemory", "1gb")
    admin.close()
    assert ledger.list_jobs("ann", after=None, limit=10).jobs == (now(ledger, job),)
    assert ledger.complete(first, token=token, result=RESULT) is Answer.OK
    there = ledger.get_unit(first)
    assert there is not None
    assert there.state is UnitState.DONE


def test_a_redis_that_cannot_write_to_its_disk_refuses_loudly_and_lets_be_read(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        ledger = RedisLedger(server.url(), settings=LedgerSettings())
        job = submitted(ledger)
        admin = server.admin()
        (tmp_path / "dump.rdb").mkdir()  # in the place of the file that it is to write
        admin.config_set("save", "3600 1")
        admin.bgsave()
        while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
            time.sleep(0.01)
        with pytest.raises(LedgerFull, match="cannot write to its disk"):
            ledger.submit(new_job())
        assert now(ledger, job) == job
        admin.close()
        ledger.close()


def test_a_redis_that_is_gone_is_an_error_of_ours(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        ledger = RedisLedger(server.url(), settings=LedgerSettings())
        ledger.loads()
        server.kill()
        with pytest.raises(LedgerUnreachable, match="does not answer"):
            ledger.loads()
        server.start()
        assert ledger.loads() == ()  # it comes back by itself
        ledger.close()
