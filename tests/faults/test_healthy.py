"""Is a healthy program called healthy? Four of `healthy/`, from a linear model to a loop of the user's own."""

import json
from pathlib import Path

import pytest

from tests.helpers.command_line import diagnoser

pytestmark = pytest.mark.slow
HEALTHY = Path(__file__).parent / "healthy"
PROGRAMS = ("cancer-logistic", "bag-of-words", "digits-vae", "own-loop-accumulation")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_healthy_program_raises_no_alarm(program: str, tmp_path: Path) -> None:
    spec = HEALTHY / program / "diagnose.yaml"
    done = diagnoser("run", spec, "--out", tmp_path, "--preset", "standard", "--budget", "60s", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    diagnosis = json.loads((tmp_path / "diagnosis.json").read_text(encoding="utf-8"))
    alarms = [
        f"{finding['severity']} ({finding['confidence']}): {finding['message']}"
        for finding in diagnosis["findings"]
        if finding["severity"] in {"error", "warning"} and finding["confidence"] in {"high", "medium"}
    ]
    assert not alarms
    assert diagnosis["verdict"] == "healthy", diagnosis["scope"]


def test_every_healthy_program_is_a_folder_with_a_spec_and_a_project() -> None:
    folders = sorted(path for path in HEALTHY.iterdir() if path.is_dir())
    assert len(folders) >= 18
    for folder in folders:
        assert {"diagnose.yaml", "project.py"} <= {path.name for path in folder.iterdir()}, folder.name
