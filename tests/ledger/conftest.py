"""Both ledgers, held to the same tests."""

from collections.abc import Iterator

import pytest

from diagnoser.ledger.protocol import Ledger
from tests.helpers.ledger_benches import MakeBench, RedisBench, SqliteBench, benches
from tests.helpers.ledger_machine import SETTINGS


@pytest.fixture(scope="session", params=["sqlite", "redis"])
def make_bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeBench]:
    with benches(request.param, tmp_path_factory.mktemp(request.param)) as make:
        yield make


@pytest.fixture
def bench(make_bench: MakeBench) -> Iterator[SqliteBench | RedisBench]:
    made = make_bench(SETTINGS)
    yield made
    made.close()


@pytest.fixture
def ledger(bench: SqliteBench | RedisBench) -> Ledger:
    return bench.ledger
