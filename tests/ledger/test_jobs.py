"""What a user submits is one job, seen by its tenant alone, listed in pages that do not shift, and gone when deleted."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from diagnoser.evidence.outcome import Reason
from diagnoser.ledger.protocol import Answer, Ledger
from diagnoser.ledger.records import JobState, Reference, UnitState
from tests.helpers.ledger_work import claimed, done, new_job, new_units, now, submitted, units_of

ARCHIVE = Reference(sha256="a" * 64, size=1234)


def finish(ledger: Ledger, job, state=JobState.DONE, **more):
    known = now(ledger, job)
    words = {"archive": ARCHIVE, "reason": None, "because": None} | more
    return ledger.finish_job(job.id, expected_version=known.version, state=state, **words)


def test_forty_submissions_at_once_with_one_key_are_one_job(ledger: Ledger) -> None:
    with ThreadPoolExecutor(40) as pool:
        jobs = list(pool.map(lambda _: ledger.submit(new_job(key="the-same")), range(40)))
    assert len({job.id for job in jobs}) == 1
    assert len(ledger.list_jobs("ann", after=None, limit=100).jobs) == 1


def test_a_key_is_its_tenants_own(ledger: Ledger) -> None:
    one, other = ledger.submit(new_job("ann", key="k")), ledger.submit(new_job("bob", key="k"))
    assert one.id != other.id


def test_a_job_comes_back_as_it_was_submitted(ledger: Ledger) -> None:
    new = new_job(key="a b".replace(" ", "/")).model_copy(update={"spec": "name: 模型\n# \x00 \ud7ff\n"})
    job = ledger.submit(new)
    there = ledger.get_job(new.id, tenant="ann")
    assert there == job
    assert {name: getattr(job, name) for name in type(new).model_fields} == new.model_dump()
    assert (job.state, job.open, job.version) == (JobState.QUEUED, 0, 0)


def test_another_tenants_job_is_not_there(ledger: Ledger) -> None:
    job = submitted(ledger, tenant="ann")
    assert ledger.get_job(job.id, tenant="bob") is None
    assert ledger.get_job(job.id, tenant=None) == job
    assert ledger.list_jobs("bob", after=None, limit=10).jobs == ()


def test_pages_neither_repeat_nor_leave_out_a_job_while_others_come_and_go(ledger: Ledger) -> None:
    jobs = [ledger.submit(new_job()) for _ in range(7)]
    first = ledger.list_jobs("ann", after=None, limit=3)
    seen = list(first.jobs)
    finish(ledger, jobs[4], archive=None)
    assert ledger.delete_job(jobs[4].id) is Answer.OK  # the very one that the cursor stands on
    ledger.submit(new_job())
    after = first.next
    while after is not None:
        page = ledger.list_jobs("ann", after=after, limit=3)
        ledger.submit(new_job())
        seen += page.jobs
        after = page.next
    assert [job.id for job in seen] == [job.id for job in reversed(jobs)]


@pytest.mark.parametrize("after", ["", "-1", "1 OR 1=1", "+inf", "(1", "1\n", "9" * 40])
def test_what_is_no_cursor_is_refused_in_words(after: str, ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="cursor"):
        ledger.list_jobs("ann", after=after, limit=3)
    with pytest.raises(ValueError, match="cursor"):
        ledger.units("0" * 32, after=after, limit=3)


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_page_has_a_size(limit: int, ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="page"):
        ledger.list_jobs("ann", after=None, limit=limit)


def test_two_thousand_units_go_in_with_one_call_and_come_out_in_their_order(ledger: Ledger) -> None:
    job = submitted(ledger, 2000)
    assert job.open == 2000
    assert [unit.content for unit in units_of(ledger, job)] == [unit.content for unit in new_units(2000)]


def test_the_same_decision_made_twice_changes_nothing_and_an_older_one_is_refused(ledger: Ledger) -> None:
    job = submitted(ledger, 2)
    before = units_of(ledger, job)
    again = ledger.insert_units(job.id, expected_version=0, phase="lr_scan", units=new_units(2))
    other = ledger.insert_units(job.id, expected_version=0, phase="lr_scan", units=new_units(3))
    assert (again, other) == (Answer.OK, Answer.STALE)
    assert units_of(ledger, job) == before
    assert now(ledger, job) == job


def test_a_job_is_cancelled_at_once_where_nothing_runs_and_by_its_workers_where_it_does(ledger: Ledger) -> None:
    job = submitted(ledger, 3)
    unit = units_of(ledger, job)[1].id
    token, _ = claimed(ledger, unit)
    assert not ledger.cancel_requested(job.id)
    assert ledger.cancel(job.id) is Answer.OK
    assert ledger.cancel_requested(job.id)
    assert now(ledger, job).open == 1
    assert ledger.sweep().advance == ()
    assert ledger.release(unit, token=token) is Answer.OK
    assert {unit.state for unit in units_of(ledger, job)} == {UnitState.CANCELLED}
    assert ledger.sweep().advance == (job.id,)
    assert finish(ledger, job, JobState.CANCELLED, archive=None) is Answer.OK
    assert ledger.sweep().advance == ()


def test_a_decision_made_before_the_cancelling_does_not_count(ledger: Ledger) -> None:
    job = submitted(ledger)
    assert ledger.cancel(job.id) is Answer.OK
    answer = ledger.finish_job(
        job.id, expected_version=job.version, state=JobState.DONE, archive=ARCHIVE, reason=None, because=None
    )
    assert answer is Answer.STALE
    more = ledger.insert_units(job.id, expected_version=now(ledger, job).version, phase="curves", units=new_units(1))
    assert more is Answer.OVER


def test_a_finished_job_says_where_its_archive_is_and_a_failed_one_why(ledger: Ledger) -> None:
    one, other = submitted(ledger), submitted(ledger)
    assert finish(ledger, one) is Answer.OK
    assert (
        finish(ledger, other, JobState.FAILED, archive=None, reason=Reason.USER_ERROR, because="no model") is Answer.OK
    )
    assert now(ledger, one).archive == ARCHIVE
    failed = now(ledger, other)
    assert (failed.state, failed.reason, failed.because) == (JobState.FAILED, Reason.USER_ERROR, "no model")


def test_who_works_for_a_job_that_is_over_learns_it(ledger: Ledger) -> None:
    job = submitted(ledger)
    (unit,) = units_of(ledger, job)
    token, _ = claimed(ledger, unit.id)
    assert finish(ledger, job) is Answer.OK
    assert ledger.renew(unit.id, token=token) is Answer.OVER
    assert ledger.cancel_requested(job.id)


def test_a_deleted_job_leaves_nothing_and_its_key_is_free(ledger: Ledger) -> None:
    job = ledger.submit(new_job(key="k"))
    ledger.insert_units(job.id, expected_version=0, phase="lr_scan", units=new_units(1))
    assert ledger.delete_job(job.id) is Answer.NOT_OVER
    finish(ledger, job)
    assert ledger.delete_job(job.id) is Answer.OK
    assert ledger.get_job(job.id, tenant=None) is None
    assert units_of(ledger, job) == ()
    assert ledger.events(job.id, after=None, limit=10) == ()
    assert ledger.submit(new_job(key="k")).id != job.id


def test_finished_jobs_are_named_when_their_time_is_up(bench) -> None:
    job = submitted(bench.ledger)
    finish(bench.ledger, job)
    assert bench.ledger.sweep().old == ()
    bench.pass_time(bench.ledger.settings.keep_seconds + 1)
    assert bench.ledger.sweep().old == (job.id,)


def test_a_job_that_was_opened_again_is_not_old(bench) -> None:
    ledger = bench.ledger
    job = submitted(ledger)
    (unit,) = units_of(ledger, job)
    for _ in range(3):
        token, _ = claimed(ledger, unit.id)
        ledger.fail(unit.id, token=token, because="no room on the disk")
    finish(ledger, job, JobState.FAILED, archive=None, reason=Reason.ENGINE_ERROR, because="no room on the disk")
    assert ledger.requeue(job.id) == (unit.id,)
    opened = now(ledger, job)
    assert (opened.state, opened.finished_ms, opened.reason, opened.because) == (JobState.RUNNING, None, None, None)
    bench.pass_time(ledger.settings.keep_seconds + 1)
    assert ledger.sweep().old == ()
    done(ledger, [unit.id])
    assert ledger.sweep().advance == (job.id,)


def test_a_job_waits_for_a_decision_when_its_last_unit_is_done(ledger: Ledger) -> None:
    job = submitted(ledger, 2)
    first, second = (unit.id for unit in units_of(ledger, job))
    done(ledger, [first])
    assert ledger.sweep().advance == ()
    done(ledger, [second])
    assert ledger.sweep().advance == (job.id,)
