"""Whatever is asked in whatever order, both ledgers answer by the same rules; and the machine that says so sees bugs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from diagnoser.ledger import sqlite_units
from tests.helpers.ledger_benches import MakeBench, RedisBench, SqliteBench
from tests.helpers.ledger_machine import SETTINGS, Bench, LedgerMachine
from tests.helpers.redis_server import Server, redis_server
from workers.ledger import scripts

QUICK = settings(max_examples=40, stateful_step_count=30, deadline=None)
THOROUGH = settings(max_examples=300, stateful_step_count=40, deadline=None)
TO_SEE_A_BUG = settings(THOROUGH, database=None, phases=[Phase.generate], report_multiple_bugs=False)


def run(make: Callable[[], Bench], how: settings) -> None:
    machine: Any = type("Machine", (LedgerMachine,), {"make_bench": staticmethod(make)})
    run_state_machine_as_test(machine, settings=how)


def test_any_order_of_calls_is_answered_by_the_rules(make_bench: MakeBench) -> None:
    run(lambda: make_bench(SETTINGS), QUICK)


@pytest.mark.slow
def test_any_of_300_orders_of_40_calls_is_answered_by_the_rules(make_bench: MakeBench) -> None:
    run(lambda: make_bench(SETTINGS), THOROUGH)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis_server(tmp_path_factory.mktemp("bugs")) as running:
        yield running


def with_bug(sound: str, broken: str) -> Callable[[str], str]:
    """Give the scripts with one line changed."""

    def source(name: str) -> str:
        text = scripts.source(name)
        assert text.count(sound) == 1, "the line to break is not there any more"
        return text.replace(sound, broken)

    return source


NO_FENCING = "return u.state == 'running' and u.token == token", "return u.state == 'running'"
NO_LEASES = "return u.state == 'running' and tonumber(redis.call('ZSCORE', leases_key(u), u.id)) > NOW", "return false"


@pytest.mark.parametrize(
    ("bug", "seen"),
    [(NO_FENCING, "a stale token was accepted"), (NO_LEASES, "a live lease was not respected")],
    ids=["fencing", "lease"],
)
def test_a_bug_planted_in_the_lua_is_seen(bug: tuple[str, str], seen: str, server: Server) -> None:
    source = with_bug(*bug)
    with pytest.raises(AssertionError, match=seen):
        run(lambda: RedisBench(SETTINGS, server=server, source=source), TO_SEE_A_BUG)


def a_running_unit(row: Any, *, token: str) -> bool:
    return bool(row["state"] == "running")


def never(at: Any, row: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("name", "broken", "seen"),
    [
        ("is_holder", a_running_unit, "a stale token was accepted"),
        ("is_leased", never, "a live lease was not respected"),
    ],
)
def test_a_bug_planted_in_the_sql_is_seen(
    name: str, broken: object, seen: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sqlite_units, name, broken)
    with pytest.raises(AssertionError, match=seen):
        run(lambda: SqliteBench(SETTINGS), TO_SEE_A_BUG)
