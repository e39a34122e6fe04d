"""What the ledger's benchmark makes of its figures, and that it does the work that it times."""

from pathlib import Path

from benchmarks import ledger
from benchmarks.ledger import Row
from diagnoser.ledger.settings import LedgerSettings
from diagnoser.ledger.sqlite import SqliteLedger


def row(back_end: str) -> Row:
    return Row(back_end=back_end, units=2000, insert_seconds=0.25, units_per_second=2000.0, processor_share=0.5)


def test_redis_is_promised_transitions_and_sqlite_units() -> None:
    done, inserted = ledger.lines([row("Redis")])
    assert (done.ours, done.unit, done.ratio, done.is_met) == (4000.0, "transitions/s", 2.0, True)
    assert (inserted.ratio, inserted.goal, inserted.is_met) == (0.5, "<= 1", True)
    done, _ = ledger.lines([row("SQLite")])
    assert (done.ours, done.unit, done.ratio, done.is_met) == (2000.0, "units/s", 0.5, False)


def test_every_unit_is_inserted_claimed_and_completed(tmp_path: Path) -> None:
    its = SqliteLedger(tmp_path / "ledger", settings=LedgerSettings())
    found = ledger.measure("SQLite", its, units=150, repeats=2)
    jobs = its.list_jobs("benchmark", after=None, limit=10).jobs
    assert [(job.state, job.open) for job in jobs] == [("running", 0)] * 2
    assert its.loads() == ()
    assert found.units == 150
    its.close()
