"""A unit is done once, whatever dies: leases, fencing, three attempts, and giving back."""

import pytest
from pydantic import ValidationError

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.protocol import Answer, Ledger
from diagnoser.ledger.records import Claimant, Inline, Reference, UnitState, Worker, new_token
from tests.helpers.ledger_work import RESULT, WORKER, claimed, submitted, units_of

OTHER = Claimant(worker="gpu0@attic", host="attic", boot="one")


def one_unit(ledger: Ledger) -> str:
    (unit,) = units_of(ledger, submitted(ledger))
    return unit.id


def state(ledger: Ledger, unit: str) -> UnitState:
    there = ledger.get_unit(unit)
    assert there is not None
    return there.state


def test_a_zombie_that_wakes_after_another_took_its_unit_is_not_heard(bench) -> None:
    ledger = bench.ledger
    unit = one_unit(ledger)
    old, _ = claimed(ledger, unit)
    bench.pass_time(ledger.settings.lease_seconds + 1)
    new, given = claimed(ledger, unit, by=OTHER)
    assert given.attempts == 2
    assert ledger.renew(unit, token=old) is Answer.STALE
    assert ledger.complete(unit, token=old, result=Inline(json_text='"old"')) is Answer.STALE
    assert ledger.complete(unit, token=new, result=Inline(json_text='"new"')) is Answer.OK
    assert ledger.complete(unit, token=old, result=Inline(json_text='"old"')) is Answer.ENDED
    there = ledger.get_unit(unit)
    assert there is not None
    assert there.result == Inline(json_text='"new"')


def test_one_that_was_late_and_is_still_alone_is_heard(bench) -> None:
    unit = one_unit(bench.ledger)
    token, _ = claimed(bench.ledger, unit)
    bench.pass_time(bench.ledger.settings.lease_seconds + 1)
    assert bench.ledger.complete(unit, token=token, result=RESULT) is Answer.OK


def test_a_unit_that_somebody_holds_is_given_to_nobody_else(bench) -> None:
    ledger = bench.ledger
    unit = one_unit(ledger)
    token, _ = claimed(ledger, unit)
    for _ in range(4):
        bench.pass_time(ledger.settings.lease_seconds - 1)
        assert ledger.renew(unit, token=token) is Answer.OK
    assert ledger.claim(unit, token=new_token(), by=OTHER) == (Answer.LEASED, None)
    assert ledger.sweep().returned == ()


def test_a_lost_answer_may_be_asked_for_again(ledger: Ledger) -> None:
    unit = one_unit(ledger)
    token, first = claimed(ledger, unit)
    answer, second = ledger.claim(unit, token=token, by=WORKER)
    assert answer is Answer.OK
    assert second is not None
    assert second.attempts == first.attempts == 1
    assert [ledger.complete(unit, token=token, result=RESULT) for _ in range(2)] == [Answer.OK, Answer.OK]


def test_a_token_that_lost_its_lease_gets_no_other(bench) -> None:
    unit = one_unit(bench.ledger)
    token, _ = claimed(bench.ledger, unit)
    assert bench.ledger.release(unit, token=token) is Answer.OK
    assert bench.ledger.claim(unit, token=token, by=WORKER) == (Answer.STALE, None)


@pytest.mark.parametrize("swept", [False, True], ids=["found by the next worker", "found by the sweep"])
def test_a_unit_that_kills_its_worker_three_times_is_given_up_and_can_be_sent_again(swept: bool, bench) -> None:
    ledger = bench.ledger
    unit = one_unit(ledger)
    job = unit.partition("/")[0]
    for _ in range(3):
        claimed(ledger, unit)
        bench.pass_time(ledger.settings.lease_seconds + 1)
    if swept:
        assert ledger.sweep().lost == (unit,)
    else:
        assert ledger.claim(unit, token=new_token(), by=OTHER) == (Answer.EXHAUSTED, None)
    (failed,) = ledger.failed_units(limit=10)
    assert (failed.id, failed.reason, failed.attempts) == (unit, Reason.WORKER_LOST, 3)
    assert "lost, at the last of its attempts" in (failed.because or "")
    assert ledger.sweep().advance == (job,)
    assert ledger.requeue(job) == (unit,)
    assert ledger.failed_units(limit=10) == ()
    _, given = claimed(ledger, unit)
    assert given.attempts == 1


def test_a_worker_that_drains_costs_no_attempt_and_one_that_could_not_does(ledger: Ledger) -> None:
    unit = one_unit(ledger)
    for _ in range(5):
        token, given = claimed(ledger, unit)
        assert given.attempts == 1
        assert ledger.release(unit, token=token) is Answer.OK
    for attempt in (1, 2, 3):
        token, given = claimed(ledger, unit)
        assert given.attempts == attempt
        assert ledger.fail(unit, token=token, because="the package is not there") is Answer.OK
    there = ledger.get_unit(unit)
    assert there is not None
    assert (there.state, there.reason) == (UnitState.FAILED, Reason.ENGINE_ERROR)
    assert there.because == "the package is not there"


def test_what_a_host_held_before_it_was_started_anew_is_free_at_once(bench) -> None:
    ledger = bench.ledger
    job = submitted(ledger, 2)
    mine, others = (unit.id for unit in units_of(ledger, job))
    claimed(ledger, mine, by=WORKER)
    claimed(ledger, others, by=OTHER)
    assert ledger.expire_previous_boots(host="tower", boot="one").returned == ()
    assert ledger.expire_previous_boots(host="tower", boot="two").returned == (mine,)
    assert (state(ledger, mine), state(ledger, others)) == (UnitState.PENDING, UnitState.RUNNING)


def test_workers_are_listed_while_they_are_heard_of(bench) -> None:
    ledger = bench.ledger
    ledger.beat(Worker(worker="gpu0@tower", host="tower", boot="one", devices=("GPU-1",), level="bwrap", load=1))
    bench.pass_time(ledger.settings.worker_seconds - 100)
    ledger.beat(Worker(worker="cpu@attic", host="attic", boot="one"))
    assert [seen.worker.worker for seen in ledger.workers()] == ["cpu@attic", "gpu0@tower"]
    assert ledger.workers()[1].worker.devices == ("GPU-1",)
    bench.pass_time(200)
    assert [seen.worker.worker for seen in ledger.workers()] == ["cpu@attic"]


def test_one_reconciles_and_another_takes_over_when_it_is_silent(bench) -> None:
    ledger = bench.ledger
    assert [ledger.may_reconcile(owner) for owner in ("a", "b", "a")] == [True, False, True]
    bench.pass_time(ledger.settings.reconcile_lock_seconds + 1)
    assert [ledger.may_reconcile(owner) for owner in ("b", "a")] == [True, False]


def test_a_large_result_is_kept_elsewhere(ledger: Ledger) -> None:
    with pytest.raises(ValidationError, match="65,536 are allowed"):
        Inline(json_text='"' + "é" * 33_000 + '"')
    unit = one_unit(ledger)
    token, _ = claimed(ledger, unit)
    kept = Reference(sha256="b" * 64, size=10**9)
    assert ledger.complete(unit, token=token, result=kept) is Answer.OK
    there = ledger.get_unit(unit)
    assert there is not None
    assert there.result == kept


@pytest.mark.parametrize("nothing", ["0" * 32 + "/lr_scan/" + "0" * 12, "", "x", "../..", "*"])
def test_a_message_that_names_no_unit_is_refused(nothing: str, ledger: Ledger) -> None:
    assert ledger.claim(nothing, token=new_token(), by=WORKER) == (Answer.UNKNOWN, None)
    assert ledger.renew(nothing, token=new_token()) is Answer.UNKNOWN
    assert ledger.get_unit(nothing) is None


def test_what_could_not_be_read_again_is_not_written(ledger: Ledger) -> None:
    unit = one_unit(ledger)
    with pytest.raises(ValidationError):
        ledger.claim(unit, token="short", by=WORKER)
    token, _ = claimed(ledger, unit)
    with pytest.raises(ValidationError):
        ledger.fail(unit, token=token, because="x" * 5000)
    assert state(ledger, unit) is UnitState.RUNNING
