"""A worker's password opens the ledger and the queue, and nothing that could harm or read others."""

import shutil
from pathlib import Path

import pytest
import redis

from diagnoser.ledger.settings import LedgerSettings
from tests.helpers.ledger_work import done, submitted, units_of
from tests.helpers.redis_server import SHIPPED, Server
from workers.ledger.redis import RedisLedger

DENIED = (
    "CONFIG GET maxmemory", "CONFIG SET maxmemory 1", "FLUSHALL", "FLUSHDB", "KEYS *", "DEBUG SLEEP 0", "ACL LIST",
    "MODULE LIST", "SHUTDOWN NOSAVE", "REPLICAOF NO ONE", "MONITOR", "CLIENT KILL TYPE normal", "SAVE", "BGSAVE",
    "SORT diagnoser:x", "SWAPDB 0 1", "MIGRATE h 1 diagnoser:k 0 1", "SLOWLOG GET", "PUBLISH elsewhere x", "GET foreign",
    "SET foreign 1",
)  # fmt: skip


@pytest.mark.parametrize("user", ["diagnoser-worker", "diagnoser-gateway"])
def test_gateway_and_worker_can_do_all_that_the_ledger_does(user: str, server: Server) -> None:
    ledger = RedisLedger(server.url(user), settings=LedgerSettings())
    job = submitted(ledger, 2)
    done(ledger, [unit.id for unit in units_of(ledger, job)])
    assert ledger.sweep().advance == (job.id,)
    ledger.close()


@pytest.mark.parametrize("command", DENIED)
def test_a_worker_is_denied(command: str, server: Server) -> None:
    client = redis.Redis.from_url(server.url(), protocol=2)
    with pytest.raises(redis.exceptions.ResponseError, match=r"no permissions|not allowed"):
        client.execute_command(*command.split())
    client.close()


def test_foreign_keys_are_denied_inside_a_script_as_well(server: Server) -> None:
    client = redis.Redis.from_url(server.url(), protocol=2)
    with pytest.raises(redis.exceptions.ResponseError, match=r"NOPERM|can't access|No permissions"):
        client.eval("return redis.call('SET', 'foreign', '1')", 0)
    client.close()


def test_redis_does_not_start_before_the_passwords_are_replaced(tmp_path: Path) -> None:
    unready = Server(tmp_path)
    shutil.copy(SHIPPED / "users.acl", tmp_path / "users.acl")
    with pytest.raises(AssertionError, match="because of ACL errors"):
        unready.start()


@pytest.mark.parametrize("who", ["", "default:@", "default:guessed@", "admin:ADMIN_PASSWORD@"])
def test_nobody_comes_in_without_a_password_of_their_own(who: str, server: Server) -> None:
    client = redis.Redis.from_url(f"redis://{who}127.0.0.1:{server.port}/0", protocol=2)
    with pytest.raises((redis.exceptions.AuthenticationError, redis.exceptions.ResponseError)):
        client.get("diagnoser:place")
    client.close()
