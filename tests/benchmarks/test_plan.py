"""Plans are held against what the runs took: how many contained it, how wide they were, who overran its budget."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plan
from benchmarks.reporting import Line


def row(name: str, *, seconds: float, expected: float, used: float | None = None) -> dict[str, Any]:
    return {
        "program": name,
        "seconds": seconds,
        "expected": expected,
        "at_least": expected / 1.4,
        "at_most": expected * 1.4,
        "contains": expected / 1.4 <= seconds <= expected * 1.4,
        "span": 1.96,
        "planning": 0.5 * seconds,
        "budget": 120.0,
        "used_seconds": seconds if used is None else used,
    }


def told(rows: list[dict[str, Any]]) -> dict[str, Line]:
    return {line.name: line for line in plan.lines(rows, programs="some")}


ROWS = [row("a", seconds=10, expected=10), row("b", seconds=30, expected=25), row("c", seconds=50, expected=20)]


def test_the_share_of_plans_that_hold_is_told_with_its_interval() -> None:
    line = told(ROWS)["plans that contain the true time"]
    assert line.ratio == pytest.approx(2 / 3)
    assert line.is_met is False
    assert "2 of 3, 95 % interval 0.21 to 0.94" in line.note  # Wilson's for 2 of 3


def test_the_widest_range_counts() -> None:
    rows = [*ROWS, row("d", seconds=10, expected=10) | {"span": 2.5}]
    line = told(rows)["upper over lower end of the range"]
    assert (line.ratio, line.is_met) == (2.5, False)


def test_the_run_that_overran_most_is_named() -> None:
    line = told([*ROWS, row("late", seconds=140, expected=100, used=135.0)])["time over budget"]
    assert line.ratio == pytest.approx(135 / 120)
    assert line.is_met is False
    assert "late" in line.note


def test_a_program_that_failed_is_no_plan_that_held() -> None:
    found = told([*ROWS[:2], {"program": "x", "failed": "no model"}])
    assert found["plans that contain the true time"].ratio == 1.0
    assert "2 of 2" in found["plans that contain the true time"].note


def test_the_programs_are_chosen_by_name_and_the_healthy_ones_unless_a_corpus_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("c1", "c2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "diagnose.yaml").write_text("")
    asked: list[str] = []

    def compare(program: Path, *, budget: str, preset: str) -> dict[str, Any]:
        asked.append(program.name)
        return row(program.name, seconds=10, expected=10) | {"steps": {"curves": [1.0, 2.0, 1.5]}}

    monkeypatch.setattr(plan, "compare", compare)
    plan.main(["--corpus", str(tmp_path), "--json"])
    assert asked == ["c1", "c2"]
    found = json.loads(capsys.readouterr().out)
    assert found["benchmark"] == "plan"
    assert [one["program"] for one in found["rows"]] == ["c1", "c2"]
    asked.clear()
    plan.main(["--only", "iris-mlp,wine-mlp"])
    assert asked == ["iris-mlp", "wine-mlp"]
    asked.clear()
    plan.main(["--quick"])
    assert asked == sorted(plan.QUICK)
