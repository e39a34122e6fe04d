"""Who watches a job is told what happens, from where the connection was lost, in pieces that are small."""

import pytest
from pydantic import ValidationError

from diagnoser.ledger.protocol import Answer, Ledger
from diagnoser.ledger.settings import LedgerSettings
from tests.helpers.ledger_benches import MakeBench
from tests.helpers.ledger_work import done, submitted, units_of


def test_a_watcher_goes_on_from_the_last_event_that_arrived(ledger: Ledger) -> None:
    job = submitted(ledger, 2)
    done(ledger, [unit.id for unit in units_of(ledger, job)])
    ledger.append_event(job.id, kind="progress", data='{"words": "best 0.98"}')
    events = ledger.events(job.id, after=None, limit=100)
    assert [event.kind for event in events] == ["job", "unit", "unit", "progress"]
    assert ledger.events(job.id, after=events[1].id, limit=100) == events[2:]
    assert ledger.events(job.id, after=events[1].id, limit=1) == events[2:3]
    assert ledger.events(job.id, after=events[-1].id, limit=100) == ()


def test_old_events_are_dropped_and_the_latest_kept(make_bench: MakeBench) -> None:
    bench = make_bench(LedgerSettings(events_kept=100))
    ledger = bench.ledger
    try:
        job = submitted(ledger)
        for number in range(350):
            ledger.append_event(job.id, kind="progress", data=str(number))
        kept = []
        after = None
        while page := ledger.events(job.id, after=after, limit=100):
            kept += [int(event.data) for event in page]
            after = page[-1].id
        assert kept == list(range(kept[0], 350))
        assert 100 <= len(kept) <= 200  # Redis drops a hundred at a time
    finally:
        bench.close()


def test_an_event_is_small_and_belongs_to_a_job(ledger: Ledger) -> None:
    job = submitted(ledger)
    with pytest.raises(ValidationError, match="4,096 are allowed"):
        ledger.append_event(job.id, kind="progress", data="é" * 2049)
    with pytest.raises(ValidationError):
        ledger.append_event(job.id, kind="a\nb", data="")
    assert ledger.append_event("0" * 32, kind="progress", data="{}") is Answer.UNKNOWN
    assert ledger.events(job.id, after=None, limit=10) == ()


@pytest.mark.parametrize("after", ["", "-", "+", "$", "(5-1", "5-", "x", "1-1\n", "9" * 30])
def test_what_is_no_id_of_an_event_is_refused_in_words(after: str, ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="id of an event"):
        ledger.events("0" * 32, after=after, limit=10)
