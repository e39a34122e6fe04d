"""Programs of a few lines in the place of ours, as children at a level."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from diagnoser.sandbox import hostile_files, supervisor
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.levels.seen import LANGUAGE
from diagnoser.sandbox.supervisor import Child
from tests.diagnoser.sandbox.levels.behind_walls import Start, walls


@pytest.fixture
def bubblewrap() -> None:
    """These tests are no use without it, so its absence is no reason to leave them out."""
    if shutil.which("bwrap") is None:
        pytest.fail("bubblewrap is missing: `apt-get install bubblewrap`")


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a program in the place of ours, as a child at a level; what is left of it is ended."""
    started = []

    def start(program: str, level: Level, **ceilings: int) -> Child:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "program.py").write_text(program, encoding="utf-8")
        monkeypatch.setattr(supervisor, "PROGRAM", folder / "program.py")
        child = Child(folder=folder, out=tmp_path / "out", environment=LANGUAGE, walls=walls(level, folder, **ceilings))
        started.append(child)
        return child

    yield start
    for child in started:
        child.end()
    hostile_files.remove(tmp_path / "out")  # before pytest tries, and breaks on what is deeper than it can go
