"""What a person reads of a plan: each step, the range of the whole, and what it rests on."""

import pytest

from diagnoser.cli.wording import plan_table
from diagnoser.protocol.estimate import Estimate, StepEstimate
from diagnoser.protocol.events import StepName


def step(name: StepName, **changes: object) -> StepEstimate:
    return StepEstimate.model_validate(
        {"step": name, "pieces": (3, 3), "updates": (500, 500), "seconds": (12.3, 12.3)} | changes
    )


def plan(*steps: StepEstimate, **changes: object) -> Estimate:
    return Estimate.model_validate(
        {
            "steps": steps,
            "starting": 2.6,
            "ending": 1.1,
            "expected": 42.0,
            "at_least": 30.0,
            "at_most": 60.0,
            "budget": 120.0,
            "seconds_per_update": 0.0042,
            "processes": 2,
            "proposed": (),
        }
        | changes
    )


def line(found: str, *, begins: str) -> list[str]:
    """The cells of one row."""
    row = next(row for row in found.splitlines() if row.startswith(begins))
    return [cell.strip() for cell in row.split("  ") if cell.strip()]


def test_a_step_that_is_certain_has_one_figure_each() -> None:
    assert line(plan_table(plan(step("curves"))), begins="6 ") == ["6 curves", "3", "500", "12 s"]


def test_a_step_that_is_not_has_two() -> None:
    row = step("treatments", pieces=(3, 9), updates=(500, 1000), seconds=(3.04, 75.0))
    assert line(plan_table(plan(row)), begins="7 ") == ["7 treatment", "3 to 9", "500 to 1000", "3.0 s to 75 s"]


def test_a_step_for_which_there_is_no_time_says_so() -> None:
    row = step("curves", pieces=(0, 0), updates=(0, 0), seconds=(0.0, 0.0), left_out="the budget was used up")
    assert line(plan_table(plan(row)), begins="6 ")[-1] == "left out: the budget was used up"


def test_start_and_end_are_rows_too_since_they_are_most_of_a_small_models_run() -> None:
    found = plan_table(plan(step("curves")))
    assert line(found, begins="start") == ["start", "2.6 s"]
    assert line(found, begins="judgment") == ["judgment and report", "1.1 s"]


def test_the_range_stands_beside_the_budget() -> None:
    assert "in all 30 s to 60 s, budget 2.0 min" in plan_table(plan())


def test_what_the_range_rests_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    assert "one update takes 4.2 ms here" in plan_table(plan())
    assert "no fix is proposed by now" in plan_table(plan())
    assert "1 fix is proposed by now (Halve the lr)" in plan_table(plan(proposed=("Halve the lr",)))
    two = " ".join(plan_table(plan(proposed=("Halve the lr", "Shuffle"))).split())
    assert "2 fixes are proposed by now (Halve the lr; Shuffle)" in two


def test_what_was_kept_from_before_is_not_counted_and_the_plan_says_so() -> None:
    assert "results kept from an earlier run are not counted" in plan_table(plan())
