"""A Redis with the files that we ship."""

from collections.abc import Iterator

import pytest

from diagnoser.ledger.settings import LedgerSettings
from tests.helpers.redis_server import Server, redis_server
from workers.ledger.redis import RedisLedger


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """An empty one."""
    admin = running.admin()
    admin.flushall()
    admin.config_set("maxmemory", "1gb")
    admin.close()
    return running


@pytest.fixture
def ledger(server: Server) -> Iterator[RedisLedger]:
    made = RedisLedger(server.url(), settings=LedgerSettings())
    yield made
    made.close()
