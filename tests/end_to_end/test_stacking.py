"""What the user reads about trials that were trained together, and how to do without."""

import json
from pathlib import Path
from typing import Any

import pytest

from diagnoser.training.stacked.running import OFF, TOO_FEW
from tests.helpers import mischief
from tests.helpers.command_line import diagnoser

pytestmark = pytest.mark.slow
ONE_BY_ONE = {OFF, TOO_FEW}


def plan(folder: Path, *flags: str) -> dict[str, Any]:
    done = diagnoser("run", "--preset", "quick", "--budget", "60s", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    evidence = json.loads((folder / "diagnosis" / "evidence.json").read_text(encoding="utf-8"))
    return dict(evidence["run"]["plan"])


def test_no_stack_trains_one_trial_after_the_other_and_the_plan_says_so(tmp_path: Path) -> None:
    mischief.write(tmp_path)
    usual, without = plan(tmp_path), plan(tmp_path, "--no-stack")
    # Whether a stack pays is timed on this machine; that it was asked for is not.
    assert {stack["because"] for stack in usual["stacks"]} - ONE_BY_ONE
    assert {stack["because"] for stack in without["stacks"]} <= ONE_BY_ONE
    assert {stack["at_once"] for stack in without["stacks"]} == {1}
    assert without["stacked"] is False
    assert usual["stacked"] is any(stack["at_once"] > 1 for stack in usual["stacks"])
