"""Nobody waits for another's long job, and a message that was lost is sent again."""

from collections import deque

from diagnoser.ledger.protocol import Ledger
from diagnoser.ledger.records import Job, Load
from diagnoser.ledger.settings import LedgerSettings
from tests.helpers.ledger_benches import MakeBench
from tests.helpers.ledger_machine import SETTINGS
from tests.helpers.ledger_work import claimed, done, submitted, units_of


def test_a_thousand_trials_of_one_user_delay_a_trial_of_another_by_no_more_than_one(make_bench: MakeBench) -> None:
    """One worker, a first-in first-out queue, and a top-up after each claim."""
    bench = make_bench(LedgerSettings())
    ledger = bench.ledger
    try:
        large = submitted(ledger, 1000, tenant="ann")
        queue = deque(sent.unit for sent in ledger.next_units(waiting={}))
        served = []
        small: Job | None = None
        for turn in range(14):
            unit = queue.popleft()
            done(ledger, [unit])
            served.append("ann" if unit.startswith(large.id) else "bob")
            if turn == 5:
                small = submitted(ledger, 3, tenant="bob")
            queue.extend(sent.unit for sent in ledger.next_units(waiting={"gpu": len(queue)}))
        assert small is not None
        after = "".join(name[0] for name in served[6:])
        assert after.startswith(("babab", "ababab"))
        assert after.count("b") == 3
    finally:
        bench.close()


def test_what_stands_in_a_queue_is_bounded_for_each_tenant_and_each_queue(ledger: Ledger) -> None:
    submitted(ledger, 9, tenant="ann", need="gpu")
    submitted(ledger, 9, tenant="ann", need="cpu")
    submitted(ledger, 9, tenant="bob", need="gpu")
    sent = ledger.next_units(waiting={})
    assert [unit.need for unit in sent] == ["cpu", "cpu", "gpu", "gpu", "gpu", "gpu"]
    assert ledger.next_units(waiting={}) == ()
    claimed(ledger, sent[0].unit)
    assert [unit.need for unit in ledger.next_units(waiting={})] == ["cpu"]
    assert ledger.loads() == (Load(need="cpu", pending=8, running=1), Load(need="gpu", pending=18, running=0))


def test_a_lost_message_is_sent_again_and_one_that_still_waits_is_not(bench) -> None:
    ledger = bench.ledger
    submitted(ledger, 2)
    sent = ledger.next_units(waiting={})
    assert len(sent) == SETTINGS.window == 2
    bench.pass_time(SETTINGS.resend_seconds + 1)
    assert ledger.next_units(waiting={"gpu": 2}) == ()
    assert ledger.next_units(waiting={"gpu": 1}) == sent
    assert ledger.next_units(waiting={}) == ()  # they have just been sent


def test_what_is_given_back_goes_to_the_front_of_its_users_line(ledger: Ledger) -> None:
    job = submitted(ledger, 5)
    first, second = (sent.unit for sent in ledger.next_units(waiting={}))
    token, _ = claimed(ledger, first)
    ledger.release(first, token=token)
    done(ledger, [second])
    assert [sent.unit for sent in ledger.next_units(waiting={})] == [first, units_of(ledger, job)[2].id]


def test_who_was_served_last_waits_for_the_others(make_bench: MakeBench) -> None:
    bench = make_bench(LedgerSettings())
    ledger = bench.ledger
    try:
        for tenant in ("ann", "bob"):
            submitted(ledger, 5, tenant=tenant)
        anns, bobs = ledger.next_units(waiting={})
        claimed(ledger, anns.unit)
        (again,) = ledger.next_units(waiting={})
        claimed(ledger, bobs.unit)
        claimed(ledger, again.unit)
        served = [claimed(ledger, sent.unit)[1].tenant for sent in ledger.next_units(waiting={})]
        assert served == ["bob", "ann"]
    finally:
        bench.close()
