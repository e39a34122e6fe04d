"""`--no-stack` reaches whoever trains, from every command that trains."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from diagnoser import local
from diagnoser.cli.app import cli
from diagnoser.errors import EngineError
from tests.helpers import mischief


@pytest.mark.parametrize(("flags", "stacking"), [((), True), (("--stack",), True), (("--no-stack",), False)])
@pytest.mark.parametrize("command", ["run", "check", "demo"])
def test_stacking_is_on_unless_the_user_says_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, flags: tuple[str, ...], stacking: bool
) -> None:
    asked = SimpleNamespace(stacking=None)

    def run(job: object, *, stacking: bool, **others: object) -> None:
        asked.stacking = stacking
        raise EngineError("nothing is trained in this test")

    monkeypatch.setattr(local, "run", run)
    spec = [] if command == "demo" else [str(mischief.write(tmp_path))]
    CliRunner().invoke(cli, [command, *spec, "--out", str(tmp_path / "out"), *flags])
    assert asked.stacking is stacking
