"""The gate in CI, from a spec to an exit code, wherever it is called from."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.helpers import mischief
from tests.helpers.command_line import diagnoser, environment

pytestmark = pytest.mark.slow
QUICK = ("--preset", "quick", "--budget", "60s")


def test_a_change_is_stopped_by_a_new_error_and_not_by_an_old_or_ignored_one(tmp_path: Path) -> None:
    folder = tmp_path / "mein Modell ü" / "日本"
    spec = mischief.write(folder, data={"kind": "all NaN"})
    env = environment(DIAGNOSER_CACHE=str(tmp_path / "cache"), NO_COLOR="1")
    out = tmp_path / "aus gabe"

    done = diagnoser("check", spec, "--out", out, *QUICK, "--junit", "junit.xml", "--json", cwd=tmp_path, env=env)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["outcome"] == "failed"
    assert "\x1b" not in done.stderr
    assert all(line[:2].strip().isdigit() for line in done.stderr.splitlines())  # one line a step
    assert ET.parse(tmp_path / "junit.xml").getroot().find(".//failure") is not None

    again = diagnoser(
        "check", spec.relative_to(tmp_path), "--baseline", out, "--out", "second", *QUICK, cwd=tmp_path, env=env
    )
    assert again.returncode == 0, again.stdout
    assert "it is in the baseline too" in again.stdout

    rules = json.loads((out / "diagnosis.json").read_text(encoding="utf-8"))["findings"]
    ignored = [{"rule": rule, "reason": "the sensor is being replaced"} for rule in {f["rule"] for f in rules}]
    spec.write_text(spec.read_text(encoding="utf-8") + f"rules: {json.dumps({'ignore': ignored})}\n", encoding="utf-8")
    third = diagnoser("check", spec, "--out", "third", *QUICK, cwd=folder, env=env)
    assert third.returncode == 0, third.stdout
    assert "the sensor is being replaced" in third.stdout


def test_user_code_that_raises_in_a_step_fails_the_check_with_3_and_the_run_with_0(tmp_path: Path) -> None:
    mischief.write(tmp_path, model={"kind": "raises", "after": 50})
    done = diagnoser("check", *QUICK, cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "your code failed in" in done.stdout
    diagnosis = json.loads((tmp_path / "diagnosis" / "diagnosis.json").read_text(encoding="utf-8"))
    assert diagnosis["verdict"] == "inconclusive"
