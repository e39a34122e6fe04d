"""A plan counts what the session would ask for, prices it, and keeps to the budget."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from diagnoser.evidence.outcome import measured
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Confidence, Finding, Fix, Severity
from diagnoser.messages import Work
from diagnoser.protocol import prices as pricing
from diagnoser.protocol.estimate import OVERRUN, SPREAD, Estimate, StepEstimate, estimate
from diagnoser.protocol.expectation import SMOOTHLY, WITH_TROUBLE
from diagnoser.protocol.prices import Prices
from diagnoser.protocol.rehearsal import Rehearsal
from diagnoser.protocol.session import unmeasured
from diagnoser.protocol.spending import LEFT_OUT_BY_QUICK, SHARES
from diagnoser.protocol.treatment import PAIRS
from diagnoser.trials import Outcome, Transform, Trial, TrialResult
from tests.helpers import make

LONG = 60.0  # minutes: no step is bounded by its share


def one_each(work: Mapping[int, Work]) -> Sequence[Sequence[int]]:
    return [(index,) for index in work]


def prices(update: float = 0.01, **changes: float) -> Prices:
    free = {
        "seconds_per_update": update,
        "seconds_per_evaluation": 0.0,
        "seconds_to_build": 0.0,
        "program": 0.5,
        "opening": 3.0,
        "second_process_at": 3.0,
        "judging": 0.7,
    }
    return Prices(**(free | changes))


def known(**assumed: Any) -> Steps:
    found = measured(make.assumptions(updates_per_epoch=50, **({"total_updates": 500} | assumed)), seconds=0.0)
    return unmeasured().model_copy(update={"preflight": make.preflight(assumptions=found)})


def plan(
    *,
    minutes: float = LONG,
    preset: str = "standard",
    cost: Prices | None = None,
    draft: tuple[Finding, ...] = (),
    assumed: Mapping[str, Any] = {},
    preflight_seconds: float = 1.0,
    processes: int = 2,
    small_set: TrialResult | None = None,
) -> Estimate:
    cost = cost or prices()
    system = make.system_profile(
        seconds_per_update=cost.seconds_per_update, seconds_per_evaluation=cost.seconds_per_evaluation
    )
    steps = known(**assumed)
    preflight = steps.preflight.model_copy(update={"system": measured(system, seconds=0.1)})
    return estimate(
        make.spec(protocol={"preset": preset}, budget={"minutes": minutes}),
        steps.model_copy(update={"preflight": preflight}),
        draft,
        prices=cost,
        processes=processes,
        form=one_each,
        preflight_seconds=preflight_seconds,
        small_set=small_set,
    )


def step(found: Estimate, name: str) -> StepEstimate:
    return next(one for one in found.steps if one.step == name)


def proposing(*fixes: Fix) -> Finding:
    return Finding(
        id="sick",
        rule="sick",
        category="loss",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        title="t",
        why="w",
        message="m",
        observed="o",
        expected="e",
        evidence=(),
        fixes=fixes,
        fingerprint="f",
        docs="d",
    )


def test_every_step_is_in_the_plan_in_the_order_of_running() -> None:
    assert [one.step for one in plan().steps] == list(SHARES)


def test_the_preset_thorough_counts_the_runs_on_a_part_of_the_rows() -> None:
    three_seeds = (3, 3)
    on_two_shares_as_well = (9, 9)
    assert step(plan(), "curves").pieces == three_seeds
    assert step(plan(preset="thorough"), "curves").pieces == on_two_shares_as_well


def test_the_range_spans_a_factor_of_two_round_what_is_expected() -> None:
    found = plan()
    assert found.at_most / found.at_least == pytest.approx(SPREAD)
    assert math.sqrt(found.at_most * found.at_least) == pytest.approx(found.expected)


def test_the_whole_lies_between_what_the_steps_take_when_all_goes_smoothly_and_when_not() -> None:
    found = plan(preflight_seconds=2.0)
    assert found.starting == pytest.approx(3.5)
    assert step(found, "preflight").seconds == (2.0, 2.0)
    assert found.ending > 0.7
    low, high = (found.starting + found.ending + sum(one.seconds[end] for one in found.steps) for end in (0, 1))
    assert low < found.expected < high
    assert found.expected == pytest.approx(math.sqrt(low * high), rel=0.1)


@pytest.mark.parametrize("minutes", [0.5, 1.0, 2.0, 10.0])
def test_no_plan_goes_beyond_what_the_budget_lets_a_run_take(minutes: float) -> None:
    found = plan(minutes=minutes, cost=prices(0.5), assumed={"total_updates": 100_000})
    assert found.at_most <= OVERRUN * minutes * 60
    assert found.expected <= OVERRUN * minutes * 60
    assert found.at_most / found.at_least <= SPREAD


def test_updates_that_cost_ten_times_as_much_cost_about_ten_times_as_much() -> None:
    slow, fast = plan(cost=prices(0.1)), plan(cost=prices(0.01))
    for name in ("overfit", "lr_scan", "curves"):
        assert 7 < step(slow, name).seconds[0] / step(fast, name).seconds[0] < 11


def ran(updates: int, *, stopped_by: str, left: float = 0.0) -> TrialResult:
    """A run on the small set, with that share of its loss left."""
    return TrialResult.model_validate(
        {
            "outcome": Outcome.COMPLETED,
            "stopped_by": stopped_by,
            "updates": updates,
            "initial_loss": 2.3,
            "final_loss": 2.3 * left,
            "floor": 0.0,
        }
    )


def test_the_small_set_is_expected_to_be_memorised_as_healthy_programs_do() -> None:
    small = step(plan(), "overfit")
    assert small.pieces == (6, 6)  # three seeds and three controls, no ladder
    assert small.updates[0] == SMOOTHLY.small_set.updates
    assert small.updates[1] == WITH_TROUBLE.permuted * WITH_TROUBLE.small_set.updates


def test_one_run_on_the_small_set_tells_how_long_the_others_take() -> None:
    late, soon = (step(plan(small_set=ran(n, stopped_by="memorised")), "overfit") for n in (300, 30))
    assert (soon.updates[0], late.updates[0]) == (30, SMOOTHLY.zeroed)
    assert late.seconds[0] > 2 * soon.seconds[0]


def test_a_small_set_that_is_not_memorised_is_tried_at_other_learning_rates_and_perhaps_with_cures() -> None:
    stuck = step(plan(small_set=ran(400, stopped_by="stalled", left=0.9)), "overfit")
    assert stuck.pieces == (12, 16)  # a ladder of six; where none helps, two cures at two learning rates


def test_a_run_that_is_on_its_way_needs_no_ladder() -> None:
    going = step(plan(small_set=ran(400, stopped_by="time", left=0.2)), "overfit")
    assert going.pieces == (6, 6)


def test_the_curves_are_three_whole_runs() -> None:
    runs = step(plan(), "curves")
    assert (runs.pieces, runs.updates) == ((3, 3), (500, 500))


def test_three_runs_on_two_processes_take_as_long_as_two() -> None:
    alone, two = (step(plan(processes=count), "curves").seconds[0] for count in (1, 2))
    assert two / alone == pytest.approx(2 / 3, rel=0.05)


def test_a_short_budget_shortens_the_runs_and_the_plan_says_so() -> None:
    short = plan(minutes=1.0, cost=prices(0.3), assumed={"total_updates": 5000})
    assert step(short, "curves").updates[1] < 100
    assert step(short, "lr_scan").updates[1] < 100


def test_a_budget_that_is_over_before_a_step_leaves_it_out_and_says_why() -> None:
    found = plan(minutes=0.5, cost=prices(0.3), preflight_seconds=25.0)
    left_out = [one for one in found.steps if one.left_out]
    assert {"lr_scan", "curves", "coarse_search"} <= {one.step for one in left_out}
    assert all("budget" in one.left_out for one in left_out)


def test_the_quick_preset_plans_no_search_and_no_curves() -> None:
    found = plan(preset="quick")
    for name in LEFT_OUT_BY_QUICK:
        assert step(found, name).pieces == (0, 0)
        assert "quick" in step(found, name).left_out


def test_a_fix_that_the_preflight_proposes_is_in_the_plan() -> None:
    fixes = tuple(Fix(title=f"fix {n}", patch={"optimizer.momentum": n / 10}) for n in range(1, 5))
    more = plan(draft=(proposing(*fixes),))
    assert more.proposed == ("fix 1", "fix 2", "fix 3", "fix 4")
    assert step(plan(), "treatments").pieces[0] == 0
    assert step(more, "treatments").pieces[0] == 4 * 3  # three pairs, whose untreated halves are there
    assert step(more, "treatments").pieces[1] > step(plan(), "treatments").pieces[1] >= 3


def test_a_run_of_few_updates_is_expected_to_be_tried_for_longer() -> None:
    few = step(plan(assumed={"total_updates": 150}), "treatments")
    assert few.updates[1] == 4 * 150


def test_a_fix_of_the_length_costs_the_length_that_it_asks_for() -> None:
    longer = proposing(Fix(title="longer", patch={"epochs": 60}))  # of 20
    assert step(plan(draft=(longer,)), "treatments").updates[1] == 3 * 500


def test_a_trial_that_reaches_its_limit_is_expected_to_stop_there() -> None:
    rehearsal = Rehearsal(
        make.spec(), make.assumptions(), SMOOTHLY, processes=1, form=one_each, prices=prices(1.0), now=0.0
    )
    (result,) = rehearsal.run(
        [Trial(seed=0, updates=100, evaluations=0, max_seconds=10.0)], deadline=1e9, on_result=lambda _i, _r: None
    )
    assert isinstance(result, TrialResult)
    assert (result.updates, result.stopped_by) == (10, "time")


def test_what_does_not_end_before_the_deadline_is_expected_to_be_missing() -> None:
    rehearsal = Rehearsal(
        make.spec(), make.assumptions(), SMOOTHLY, processes=1, form=one_each, prices=prices(1.0), now=0.0
    )
    trials = [Trial(seed=seed, updates=10, evaluations=0) for seed in range(3)]
    deadline = rehearsal.clock() + 25.0
    results = rehearsal.run(trials, deadline=deadline, on_result=lambda _i, _r: None)
    assert [one.outcome for one in results] == [Outcome.COMPLETED, Outcome.COMPLETED, Outcome.TIMED_OUT]
    assert rehearsal.clock() == pytest.approx(deadline, abs=0.5)


def test_many_short_trials_in_one_unit_cost_less_than_one_by_one() -> None:
    trial = Trial(seed=0, updates=100, evaluations=0)
    result = TrialResult(outcome=Outcome.COMPLETED, updates=100)
    together, alone = (sum(prices(0.001).unit([(trial, result)] * n)) / n for n in (5, 1))
    assert together < alone
    dear = prices(10 * pricing.LONGEST)
    assert sum(dear.unit([(trial, result)] * 5)) / 5 > 100 * dear.seconds_per_update


def test_two_causes_are_planned_with_the_runs_that_cure_both() -> None:
    softmax = proposing(Fix(title="f", transforms=(Transform.REMOVE_FINAL_ACTIVATION,)))
    decay = proposing(Fix(title="g", patch={"optimizer.weight_decay": 0.0})).model_copy(
        update={"id": "other", "rule": "other"}
    )
    one, two = (step(plan(draft=draft), "treatments") for draft in ((softmax,), (softmax, decay)))
    assert two.pieces[0] - one.pieces[0] == 2 * PAIRS  # smoothly: one look at the second cure, one at both
    assert two.pieces[1] - one.pieces[1] == 2 * PAIRS  # with trouble two looks; one cause is paired with a hint there
