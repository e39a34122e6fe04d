"""One line a step for the progress display: what was found, and whether the budget shortened it."""

from diagnoser.evidence.outcome import NotMeasured, Reason, measured
from diagnoser.protocol.summary import words
from tests.helpers import make


def test_a_step_that_was_not_measured_says_why() -> None:
    missing = NotMeasured(reason=Reason.BUDGET, because="the budget was used up by the steps before this one")
    assert words("curves", missing) == "not measured: the budget was used up by the steps before this one"


def test_whole_runs_are_counted_and_nothing_else_is_said() -> None:
    assert words("curves", measured(make.curves(), seconds=1.0)).startswith("3 runs; validation accuracy")
    assert "updates" not in words("curves", measured(make.curves(), seconds=1.0))


def test_a_shortened_run_says_how_much_of_it_there_was() -> None:
    short = make.curves(planned_updates=5000, runs=(make.curve_run(updates=40),))
    assert words("curves", measured(short, seconds=1.0)).endswith("; 40 of 5000 updates")


def test_a_run_that_ended_by_itself_was_not_shortened() -> None:
    early = make.curves(planned_updates=5000, runs=(make.curve_run(updates=40, stopped_by="early_stopping"),))
    assert "updates" not in words("curves", measured(early, seconds=1.0))


def test_a_shortened_scan_says_how_short() -> None:
    assert "shortened" not in words("lr_scan", measured(make.lr_scan(), seconds=1.0))
    assert words("lr_scan", measured(make.lr_scan(updates=7), seconds=1.0)).endswith("; shortened to 7 updates")


def test_a_small_set_whose_runs_ran_out_of_time_did_not_fail() -> None:
    runs = tuple(make.small_set_attempt(seed=seed, memorised=False, stopped_by="time") for seed in range(3))
    assert words("overfit", measured(make.overfit(attempts=runs), seconds=1.0)).endswith("; 3 runs ran out of time")
    assert "out of time" not in words("overfit", measured(make.overfit(), seconds=1.0))
