"""The Lua of the ledger: whole or not at all, by Redis's clock, and never in the way of the queue's own keys."""

import re

import pytest

from diagnoser.ledger.protocol import Answer
from diagnoser.ledger.records import Claimant, NewUnit
from tests.helpers.ledger_work import WORKER, claimed, done, new_units, now, submitted, units_of
from tests.helpers.redis_server import Server
from workers.ledger import scripts
from workers.ledger.redis import RedisLedger

QUEUES_AND_CELERYS = re.compile(r"diagnoser:(cpu|gpu|control|celery|unacked|_kombu)")


@pytest.mark.parametrize("name", scripts.names())
def test_every_script_begins_with_what_it_does_and_what_it_is_given(name: str) -> None:
    text = (scripts.HERE / f"{name}.lua").read_text(encoding="utf-8")
    header = re.match(r"-- [A-Z][^\n]+\.( [^\n]*)?\n(-- [a-z][^\n]*\n)?\n", text)
    assert header, f"{name}.lua has no header"
    assert ("arg(" in text) == (header.group(2) is not None)


@pytest.mark.parametrize("name", scripts.names())
def test_redis_judges_every_script_as_a_whole_when_memory_is_full(name: str) -> None:
    first = scripts.source(name).partition("\n")[0]
    assert first in {"#!lua", "#!lua flags=no-writes", "#!lua flags=allow-oom"}
    assert (first == "#!lua flags=no-writes") == name.startswith("read_")


def test_what_may_run_when_memory_is_full_exists() -> None:
    assert set(scripts.names()) >= scripts.WHEN_FULL


def test_no_key_of_the_ledger_looks_like_one_of_the_queue(ledger: RedisLedger, server: Server) -> None:
    for need in ("cpu", "gpu", "gpu.80g"):
        job = submitted(ledger, 3, need=need)
        ledger.next_units(waiting={})
        done(ledger, [units_of(ledger, job)[0].id])
        claimed(ledger, units_of(ledger, job)[1].id)
    admin = server.admin()
    keys = admin.keys("*")
    admin.close()
    assert len(keys) > 20
    assert [key for key in keys if not key.startswith("diagnoser:") or QUEUES_AND_CELERYS.match(key)] == []


@pytest.mark.parametrize("name", ["control", "pend", "active", "leases", "gpu:x", "gpu\n", "gpu.80G", "GPU", ""])
def test_no_unit_can_ask_for_a_queue_whose_name_is_a_key_of_the_ledger(name: str) -> None:
    with pytest.raises(ValueError, match="need"):
        NewUnit(step="lr_scan", need=name, content="{}")


@pytest.mark.parametrize("off", [-600.0, 600.0])
def test_the_clock_of_a_worker_decides_nothing(
    off: float, ledger: RedisLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(ledger, 2)
    first, second = (unit.id for unit in units_of(ledger, job))
    _, right = claimed(ledger, first)
    import time

    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + off)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(off * 1e9))
    token, wrong = claimed(ledger, second, by=Claimant(worker="slow", host="slow", boot="one"))
    assert right.lease_until_ms is not None
    assert wrong.lease_until_ms is not None
    assert abs(wrong.lease_until_ms - right.lease_until_ms) < 300_000  # half of what the clock is off
    assert ledger.renew(second, token=token) is Answer.OK
    assert ledger.claim(first, token="another-token", by=WORKER)[0] is Answer.LEASED
    assert ledger.sweep().returned == ()


def test_scripts_that_redis_forgot_are_given_again(ledger: RedisLedger, server: Server) -> None:
    job = submitted(ledger)
    admin = server.admin()
    admin.script_flush()
    admin.close()
    assert (
        ledger.insert_units(job.id, expected_version=1, phase="curves", units=new_units(2, step="curves")) is Answer.OK
    )
    assert now(ledger, job).open == 3
