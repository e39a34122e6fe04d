"""A model too large for its budget gets a useful report in time, and the verdict says what it covers."""

import json
import time
from pathlib import Path

import pytest

from tests.helpers import mischief
from tests.helpers.command_line import diagnoser

START_SECONDS = 3.0  # Python and our own imports, before the clock of the budget can begin


@pytest.mark.slow
def test_an_epoch_of_an_hour_is_diagnosed_within_two_minutes(tmp_path: Path) -> None:
    mischief.write(tmp_path, model={"kind": "slow", "after": 300}, data={"rows": 400_000})
    began = time.monotonic()
    done = diagnoser("run", "--budget", "2m", cwd=tmp_path)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert took < 1.1 * 120 + START_SECONDS  # what is tested is this very promise
    diagnosis = json.loads((tmp_path / "diagnosis" / "diagnosis.json").read_text(encoding="utf-8"))
    assert "in what could be seen" in diagnosis["scope"]
    assert "of one epoch" in diagnosis["scope"]
    assert diagnosis["scope"] in " ".join(done.stdout.split())
    steps = diagnosis["steps"]
    assert [steps[name]["status"] for name in ("initial_loss", "overfit", "lr_scan", "curves")] == ["measured"] * 4
    assert steps["curves"]["fraction_of_run"] < 0.01
    blamed = [o for o in steps.values() if o.get("reason") == "user_error"]
    assert blamed == []  # code that is slow is not code that fails
