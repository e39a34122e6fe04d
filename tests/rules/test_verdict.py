"""One word for the whole, and what it covers."""

import pytest

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Verdict
from rules.engine import judge
from rules.verdict import scope, user_code_failed, verdict
from tests.helpers import make
from tests.helpers.toy_rules import always, finding


def word(severity: str, confidence: str) -> Verdict:
    said = finding(severity=severity, confidence=confidence)
    return judge(make.evidence(), catalogue=(always(said),)).verdict


def cut_short(fraction: float, *, rows: float = 1.0) -> Measured[Curves]:
    return Measured[Curves](seconds=1.0, value=make.curves(), fraction_of_run=fraction, rows_used=rows)


@pytest.mark.parametrize(
    ("severity", "confidence", "expected"),
    [
        ("error", "high", Verdict.BROKEN),
        ("error", "medium", Verdict.BROKEN),
        ("error", "low", Verdict.HEALTHY),
        ("warning", "medium", Verdict.IMPAIRED),
        ("warning", "low", Verdict.HEALTHY),
        ("info", "high", Verdict.HEALTHY),
    ],
)
def test_the_word_follows_the_gravest_finding_that_is_sure_enough(
    severity: str, confidence: str, expected: Verdict
) -> None:
    assert word(severity, confidence) is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("budget", Verdict.INCONCLUSIVE),
        ("user_error", Verdict.INCONCLUSIVE),
        ("worker_lost", Verdict.INCONCLUSIVE),
        ("engine_error", Verdict.INCONCLUSIVE),
        ("unsupported", Verdict.HEALTHY),
        ("dependency", Verdict.HEALTHY),
    ],
)
def test_a_hole_in_what_the_preset_demands_is_not_health(reason: str, expected: Verdict) -> None:
    assert verdict((), make.evidence(overfit=make.not_measured(reason=reason))) is expected


def test_a_step_that_the_preset_does_not_demand_may_be_missing() -> None:
    missing = make.not_measured()
    assert verdict((), make.evidence(curves=missing)) is Verdict.INCONCLUSIVE
    quick = make.evidence(run=make.run(preset="quick"), curves=missing, coarse_search=missing, fine_search=missing)
    assert verdict((), quick) is Verdict.HEALTHY
    assert verdict((), make.evidence(fine_search=missing)) is Verdict.HEALTHY
    assert verdict((), make.evidence(run=make.run(preset="thorough"), fine_search=missing)) is Verdict.INCONCLUSIVE


def test_a_step_cut_short_by_the_budget_is_measured() -> None:
    assert verdict((), make.evidence(curves=cut_short(0.1))) is Verdict.HEALTHY


def test_the_steps_in_which_the_users_code_raised_are_named() -> None:
    evidence = make.evidence(
        overfit=make.not_measured(reason="user_error"), fine_search=make.not_measured(reason="user_error")
    )
    assert user_code_failed(evidence) == ("overfit",)


def of(evidence: Evidence) -> str:
    return scope(evidence, verdict((), evidence))


def test_a_whole_run_is_said_to_be_whole() -> None:
    assert of(make.evidence()) == "healthy: steps 0-5 and the whole run"


def test_a_share_of_one_epoch_is_told() -> None:
    nothing = make.not_measured()
    short = make.evidence(curves=cut_short(0.006), coarse_search=nothing, fine_search=nothing)
    assert of(short) == (
        "inconclusive in what could be seen: steps 0-3 and 12 % of one epoch; "
        "not measured: coarse search (the budget ended)"
    )


def test_a_share_of_the_run_and_of_the_rows_is_told() -> None:
    assert of(make.evidence(curves=cut_short(0.25, rows=0.4))) == (
        "healthy in what could be seen: steps 0-5 and 5.0 epochs (25 % of the run), "
        "with 40 % of the training rows in the shortest step"
    )


def test_a_gap_in_the_steps_is_told() -> None:
    evidence = make.evidence(lr_scan=make.not_measured("no parameters", reason="unsupported"))
    assert of(evidence) == (
        "healthy in what could be seen: steps 0-2, 4-5 and the whole run; "
        "not measured: learning-rate scan (it does not suit this model)"
    )


def test_a_log_of_a_run_made_elsewhere_is_judged_by_its_curves() -> None:
    plan = {"executor": "curves", "processes": 0, "threads_per_process": 0}
    names = ("data", "model", "loss", "optimizer", "initial_loss", "overfit", "lr_scan", "coarse_search", "fine_search")
    log = make.evidence(run=make.run(plan=plan), **dict.fromkeys(names, make.not_measured(reason="unsupported")))
    assert verdict((), log) is Verdict.HEALTHY
