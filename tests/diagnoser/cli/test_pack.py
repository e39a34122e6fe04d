"""`diagnoser pack` shows what would be sent, and why the rest is not."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from diagnoser.cli.app import cli
from diagnoser.errors import DiagnoserError
from diagnoser.packages.sizes import Limits
from diagnoser.packages.unpacking import unpack

SPEC = "model: model:build\ndata:\n  factory: model:data\n  paths: [big]\n"
MODEL = "import torch\nimport timm\ndef build(): ...\ndef data(): ...\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"diagnose.yaml": SPEC, "model.py": MODEL, ".env": "TOKEN=1", "a.pt": "x", "big/rows.bin": "x"}
    files |= {f"logs/{number}.log": "x" for number in range(9)} | {".gitignore": "*.log\n"}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pack(*arguments: str) -> Result:
    done = CliRunner().invoke(cli, ["pack", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_it_says_what_is_in_the_package_and_what_is_not(project: Path) -> None:
    lines = pack().stdout.splitlines()
    assert lines[0].startswith("3 files, ")
    assert "  secrets: .env" in lines
    assert "  checkpoints: a.pt" in lines
    assert any(line.startswith("  what data.paths names") and line.endswith(": big/") for line in lines)
    (ignored,) = (line for line in lines if ".gitignore names" in line)
    assert "logs/0.log (.gitignore:1: *.log)" in ignored
    assert ignored.endswith("and 4 more")
    assert "imports of other packages: timm, torch" in lines
    assert lines[-1].startswith("written: diagnoser-package.tar.gz (sha256 ")


def test_it_writes_what_it_says(project: Path) -> None:
    told = json.loads(pack("--out", "sub/p.tar.gz", "--json").stdout)
    (project / "back").mkdir()
    with (project / "sub" / "p.tar.gz").open("rb") as file:
        manifest = unpack(file, project / "back", limits=Limits())
    assert {file.path for file in manifest.files} == {".gitignore", "diagnose.yaml", "model.py"}
    assert [file["path"] for file in told["files"]] == [file.path for file in manifest.files]
    assert (told["content"], told["warnings"]) == (manifest.content, [])
    assert (project / "back" / "model.py").read_text(encoding="utf-8") == MODEL


def test_the_package_of_a_second_time_is_the_same_wherever_the_first_one_lies(project: Path) -> None:
    calls = ((), (), ("--out", "p.gz"), ("--out", "p.gz"))
    assert len({json.loads(pack("--json", *out).stdout)["sha256"] for out in calls}) == 1


def test_every_file_and_all_that_is_left_out_can_be_listed(project: Path) -> None:
    printed = pack("--list").stdout
    assert "logs/8.log" in printed
    assert "more" not in printed
    assert "  diagnose.yaml" in printed


@pytest.mark.parametrize(
    ("arguments", "why"), [(["absent.yaml"], "no file absent.yaml"), (["--out", "big"], "name a file")]
)
def test_a_wrong_call_is_told(arguments: list[str], why: str, project: Path) -> None:
    with pytest.raises(DiagnoserError, match=why) as caught:
        pack(*arguments)
    assert caught.value.exit_code == 2
