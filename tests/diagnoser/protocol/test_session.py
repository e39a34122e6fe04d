"""The walk through all steps, with an executor whose answers are known."""

import math
import time

import pytest

from diagnoser.evidence.outcome import Measured, NotMeasured, Reason
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Confidence, Finding, Fix, Severity
from diagnoser.protocol.events import Event
from diagnoser.protocol.session import Session
from diagnoser.protocol.spending import SHARES
from diagnoser.trials import Outcome, TrialResult, UserError
from tests.helpers import make
from tests.helpers.toy_executor import BEST_LR, ToyExecutor


def _finding(**overrides):
    healthy = {
        "id": "learning-rate-too-low",
        "rule": "learning-rate-too-low",
        "category": "learning-rate",
        "severity": Severity.WARNING,
        "confidence": Confidence.LOW,
        "title": "t",
        "why": "w",
        "message": "m",
        "observed": "o",
        "expected": "e",
        "evidence": (),
        "fixes": (Fix(title="raise it", patch={"optimizer.lr": BEST_LR}),),
        "fingerprint": "f",
        "docs": "d",
    }
    return Finding(**(healthy | overrides))


def _walk(executor, *, preset="standard", draft=(), minutes=10.0) -> tuple[Steps, list[Event]]:
    events: list[Event] = []
    spec = make.spec(protocol={"preset": preset}, budget={"minutes": minutes})
    session = Session(spec, executor, lambda _: draft, events.append, time.monotonic())
    return session.run(), events


def _value(outcome):
    """What was measured; fails with the reason where nothing was."""
    assert isinstance(outcome, Measured), outcome
    return outcome.value


def _reason(outcome) -> NotMeasured:
    assert isinstance(outcome, NotMeasured)
    return outcome


def test_every_step_is_measured_when_nothing_goes_wrong():
    steps, _ = _walk(ToyExecutor(), draft=(_finding(),))
    missing = [name for name in Steps.model_fields if isinstance(getattr(steps, name), NotMeasured)]
    assert missing == []


def test_the_initial_loss_is_set_beside_the_theory():
    steps, _ = _walk(ToyExecutor())
    assert _value(steps.initial_loss).observed == (pytest.approx(math.log(10)),) * 5
    assert _value(steps.initial_loss).chance == pytest.approx(math.log(10))
    assert _value(steps.initial_loss).penalty_in_weights == pytest.approx(0.1)


def test_the_scan_proposes_the_lr_that_falls_fastest_and_says_where_it_diverges():
    steps, _ = _walk(ToyExecutor())
    scan = _value(steps.lr_scan)
    assert scan.proposal == pytest.approx(BEST_LR)
    assert scan.user_lr == 1e-3


def test_a_scan_whose_best_is_at_the_edge_goes_beyond_it():
    slow = ToyExecutor(change=lambda trial, result: result if _lr(trial) > 0.05 else _flat(result))
    steps, _ = _walk(slow)
    assert "above" in _value(steps.lr_scan).extended
    assert max(point.lr for point in _value(steps.lr_scan).points) > 0.1


def _lr(trial):
    return float(str(trial.changes.get("optimizer.lr", 1e-3)))


def _flat(result: TrialResult) -> TrialResult:
    return result.model_copy(update={"losses": (math.log(10),) * max(1, len(result.losses))})


def test_a_small_set_that_passes_at_the_users_lr_needs_no_ladder():
    executor = ToyExecutor(user_lr=BEST_LR)
    steps, _ = _walk(executor)
    plain = [a for a in _value(steps.overfit).attempts if a.control == "none" and not a.regularised]
    assert {a.lr for a in plain} == {BEST_LR}
    assert all(a.memorised for a in plain)


def test_a_small_set_that_fails_at_the_users_lr_is_tried_at_others():
    steps, _ = _walk(ToyExecutor(user_lr=1e-7))
    passed = {a.lr for a in _value(steps.overfit).attempts if a.memorised}
    failed = {a.lr for a in _value(steps.overfit).attempts if not a.memorised}
    assert 1e-7 in failed
    assert len({a.lr for a in _value(steps.overfit).attempts}) > 5
    assert all(lr > 1e-7 for lr in passed)


def test_a_search_keeps_the_users_own_configuration_and_names_what_mattered():
    steps, _ = _walk(ToyExecutor())
    coarse = _value(steps.coarse_search)
    assert coarse.trials[coarse.user].values["optimizer.lr"] == 1e-3
    assert set(coarse.importance) == {"optimizer.lr", "optimizer.weight_decay"}
    assert coarse.importance["optimizer.lr"] > 0.9  # the toy's loss knows no weight decay
    best = coarse.trials[coarse.best].values["optimizer.lr"]
    assert best == pytest.approx(BEST_LR)


def test_the_coarse_search_halves_many_short_runs_to_a_few_longer_ones():
    steps, _ = _walk(ToyExecutor())
    coarse = _value(steps.coarse_search)
    rungs = [trial.rung for trial in coarse.trials]
    assert coarse.mode == "caviar"
    assert rungs.count(0) >= 3 * rungs.count(1) > 0
    longest = {trial.updates for trial in coarse.trials if trial.rung == 1}
    assert min(longest) > max(trial.updates for trial in coarse.trials if trial.rung == 0)


def test_a_search_whose_runs_are_dear_changes_one_thing_at_a_time():
    steps, _ = _walk(ToyExecutor(seconds_per_update=1.0), minutes=2.0)
    coarse = _value(steps.coarse_search)
    assert coarse.mode == "panda"
    assert coarse.trials[0].values["optimizer.lr"] == 1e-3


def test_the_fine_search_asks_a_gaussian_process():
    steps, _ = _walk(ToyExecutor())
    assert "gaussian_process" in {trial.proposed_by for trial in _value(steps.fine_search).trials}


def test_a_fix_that_promises_is_tried_over_six_paired_seeds_in_two_looks():
    steps, _ = _walk(ToyExecutor(), draft=(_finding(),))
    (treatment,) = _value(steps.treatments).treatments
    assert treatment.seeds == (0, 1, 2, 3, 4, 5)
    assert treatment.looks == 2
    assert min(treatment.after) > max(treatment.before)


def test_a_fix_that_does_worse_in_three_pairs_gets_no_second_look():
    harmful = _finding(fixes=(Fix(title="lower it", patch={"optimizer.lr": 1e-6}),))
    steps, _ = _walk(ToyExecutor(), draft=(harmful,))
    (treatment,) = _value(steps.treatments).treatments
    assert (treatment.seeds, treatment.looks) == ((0, 1, 2), 1)


def test_untreated_runs_of_step_six_are_not_trained_again():
    executor = ToyExecutor()
    _walk(executor, draft=(_finding(),))
    untreated = [t for t in executor.given if t.scheduled and not t.changes and not t.transforms]
    assert sorted(t.seed for t in untreated) == [0, 1, 2, 3, 4, 5]


def test_the_quick_preset_goes_from_the_scan_to_the_treatment():
    steps, _ = _walk(ToyExecutor(), preset="quick", draft=(_finding(),))
    assert isinstance(steps.treatments, Measured)
    for name in ("coarse_search", "fine_search", "curves"):
        outcome = getattr(steps, name)
        assert outcome.reason is Reason.BUDGET
        assert "quick" in outcome.because


def test_without_a_fix_to_try_the_treatment_says_so():
    steps, _ = _walk(ToyExecutor())
    assert isinstance(steps.treatments, NotMeasured)
    assert "no finding proposes" in steps.treatments.because


def test_user_code_that_raises_in_every_trial_is_reported_with_its_traceback():
    error = UserError(kind="KeyError", message="'x'", traceback="Traceback: line 7")
    broken = ToyExecutor(
        change=lambda trial, _: TrialResult(outcome=Outcome.USER_ERROR, error=error, stopped_by="error")
    )
    steps, _ = _walk(broken)
    assert _reason(steps.overfit).reason is Reason.USER_ERROR
    assert _reason(steps.overfit).traceback == "Traceback: line 7"
    assert "KeyError" in _reason(steps.overfit).because


def test_a_budget_that_is_used_up_leaves_reasons_and_no_hole():
    steps, _ = _walk(ToyExecutor(), minutes=1e-9)
    assert isinstance(steps.curves, NotMeasured)
    assert steps.curves.reason is Reason.BUDGET


def test_events_tell_of_every_step_in_order():
    _, events = _walk(ToyExecutor())
    ended = [event.step for event in events if event.kind == "step_ended"]
    assert ended == list(SHARES)
    assert any("best accuracy" in event.words for event in events if event.kind == "work_done")
