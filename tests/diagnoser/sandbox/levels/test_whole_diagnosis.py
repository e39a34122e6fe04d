"""A whole diagnosis behind bubblewrap finds what one without walls finds, and its evidence names the level."""

import shutil
from pathlib import Path

import pytest

from diagnoser import local
from diagnoser.findings import Diagnosis
from diagnoser.sandbox.levels.level import Level
from diagnoser.spec.patching import apply_changes
from diagnoser.spec.reading import read_spec
from tests.diagnoser.sandbox.levels.behind_walls import only_linux

DEMO = Path(__file__).parents[4] / "diagnoser" / "demo"


def diagnose(folder: Path, level: Level) -> Diagnosis:
    spec, source = read_spec(folder / "diagnose.yaml")
    spec = apply_changes(spec, {"protocol.preset": "quick", "budget.minutes": 30.0})
    job = local.Job(spec=spec, source=source, command="diagnoser run", sandbox=level)
    return local.run(job, cache=None, on_event=lambda event: None, on_problem=pytest.fail)


@only_linux
@pytest.mark.slow
@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("example", ["broken", "healthy"])
def test_the_findings_are_the_same(tmp_path: Path, example: str) -> None:
    folder = tmp_path / example
    shutil.copytree(DEMO / example, folder)
    bare, walled = diagnose(folder, "process"), diagnose(folder, "bwrap")
    assert (bare.run.sandbox, walled.run.sandbox) == ("process", "bwrap")
    assert [(found.rule, found.severity, found.confidence) for found in walled.findings] == [
        (found.rule, found.severity, found.confidence) for found in bare.findings
    ]
    assert walled.verdict == bare.verdict
