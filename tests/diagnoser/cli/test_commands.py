"""What a person types and reads, without a model being trained: help, mistakes, gate, files."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from diagnoser.evidence.outcome import NotMeasured, Reason
from rules.engine import judge
from tests.helpers import make, mischief
from tests.helpers.command_line import diagnoser, environment
from tests.helpers.toy_rules import always, finding


def test_help_of_every_command_says_what_it_does_and_loads_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom diagnoser.cli.app import cli\n"
        "for name in ['', *cli.commands]:\n"
        "    done = CliRunner().invoke(cli, [*name.split(), '--help'])\n"
        "    assert done.exit_code == 0 and 'Usage' in done.stdout, name\n"
        "print(sorted(set(sys.modules) & {'torch', 'numpy', 'sklearn', 'scipy'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bogus"], "No such command"),
        (["run", "--preset", "fast"], "'quick', 'standard', 'thorough'"),
        (["run", "--budget", "soon"], "write 90s, 5m or 1h"),
        (["run", "--budget", "0"], "write 90s, 5m or 1h"),
        (["run", "--sandbox", "docker"], "'process', 'landlock', 'bwrap', 'auto'"),
        (["run", "absent.yaml"], "there is no file absent.yaml"),
        (["run"], "`diagnoser init` writes one"),
        (["rules", "loss-divergs"], "did you mean loss-diverges?"),
        (["init", "absent"], "there is no such folder"),
        (["gate", "absent.json"], "cannot be read"),
        (["report", "rubbish.json"], "rubbish.json: cannot be read as a diagnosis: this is not JSON"),
        (["gate", "list.json"], "list.json: cannot be read as a diagnosis"),
        (["gate", "evidence.json"], "name the diagnosis.json beside it"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_ends_with_2_and_says_what_to_write(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "rubbish.json").write_text("rubbish", encoding="utf-8")
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    (tmp_path / "evidence.json").write_text(make.evidence().model_dump_json(), encoding="utf-8")
    done = diagnoser(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def written(path: Path, *, error: bool = False, **records: object) -> Path:
    """A diagnosis.json with one error or without any."""
    catalogue = (always(finding(), id="wrong"),) if error else ()
    path.write_text(judge(make.evidence(**records), catalogue=catalogue).model_dump_json(), encoding="utf-8")
    return path


NO_BUDGET = NotMeasured(reason=Reason.BUDGET, because="the budget ended")
RAISED = NotMeasured(reason=Reason.USER_ERROR, because="your code raised ValueError", traceback="Traceback ...")


def test_the_gate_fails_on_an_error_and_leaves_the_files_that_ci_shows(tmp_path: Path) -> None:
    written(tmp_path / "diagnosis.json", error=True)
    files = ("--junit", "out/junit.xml", "--markdown", "out/summary.md")
    done = diagnoser("gate", "diagnosis.json", *files, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "wrong" in done.stdout
    assert ET.parse(tmp_path / "out" / "junit.xml").getroot().find(".//failure") is not None
    assert "broken" in (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")


def test_the_gate_passes_what_the_baseline_has_too(tmp_path: Path) -> None:
    written(tmp_path / "diagnosis.json", error=True)
    written(tmp_path / "before.json", error=True)
    done = diagnoser("gate", "diagnosis.json", "--baseline", "before.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "it is in the baseline too" in done.stdout


@pytest.mark.parametrize(
    ("missing", "strict", "code"), [(NO_BUDGET, False, 0), (NO_BUDGET, True, 5), (RAISED, False, 3), (RAISED, True, 3)]
)
def test_a_missing_step_is_a_pass_only_when_nobody_is_strict_and_the_users_code_is_fine(
    tmp_path: Path, missing: NotMeasured, strict: bool, code: int
) -> None:
    written(tmp_path / "diagnosis.json", overfit=missing)
    done = diagnoser("gate", tmp_path, *(["--strict"] if strict else []), cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert "inconclusive" in done.stdout


def test_the_gates_json_stands_alone_on_stdout(tmp_path: Path) -> None:
    written(tmp_path / "diagnosis.json", error=True)
    done = diagnoser("gate", "diagnosis.json", "--json", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert (answer["outcome"], answer["exit_code"], done.returncode) == ("failed", 1, 1)


def test_a_report_is_printed_or_written_below_a_folder_that_is_made(tmp_path: Path) -> None:
    written(tmp_path / "diagnosis.json")
    assert "healthy" in diagnoser("report", "diagnosis.json", "--format", "markdown", cwd=tmp_path).stdout
    done = diagnoser("report", "diagnosis.json", "--out", "a b/ü/report.html", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "a b" / "ü" / "report.html").stat().st_size > 10_000


def test_a_rule_is_shown_as_a_page_and_as_json(tmp_path: Path) -> None:
    assert diagnoser("rules", "loss-diverges", cwd=tmp_path).stdout.startswith("# The loss diverges")
    entry = json.loads(diagnoser("rules", "loss-diverges", "--json", cwd=tmp_path).stdout)
    assert entry["category"] == "learning-rate"
    assert "## What it sees" in entry["page"]


def test_several_logs_are_seeds_of_one_run(tmp_path: Path) -> None:
    for seed in range(2):
        rows = [f"{e},{2 / (e + 1) + 0.01 * seed},{0.5 + 0.05 * e}" for e in range(20)]
        rows = [f"{row},{2 / (e + 1) + 0.1 * e},{0.8 - 0.015 * e}" for e, row in enumerate(rows)]
        text = "\n".join(["epoch,loss,accuracy,val_loss,val_accuracy", *rows])
        (tmp_path / f"seed {seed}.csv").write_text(text, encoding="utf-8")
    done = diagnoser("curves", "seed 0.csv", "seed 1.csv", "--validation-rows", "1000", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "seed 1.csv: overfit" in done.stdout
    assert "[overfitting," in done.stdout
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"evidence.json", "diagnosis.json", "report.html"}


@pytest.mark.parametrize(
    ("place", "words"), [("file/inside", "nothing can be written there"), ("file", "name a folder")]
)
def test_an_output_folder_that_cannot_be_written_is_told_before_any_work(
    tmp_path: Path, place: str, words: str
) -> None:
    mischief.write(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = diagnoser("run", "--out", place, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "preflight" not in done.stderr


def test_a_failure_of_ours_ends_with_4_and_one_line_and_keeps_its_details(tmp_path: Path) -> None:
    program = (
        "from diagnoser import programs\nfrom diagnoser.cli.app import main\n"
        "def fail(*_, **__): raise KeyError('a bug')\n"
        "programs.run = fail\nimport sys\nsys.argv = ['diagnoser', 'rules']\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 4
    assert "a failure of ours, KeyError: 'a bug'" in done.stderr
    assert "Traceback" not in done.stderr
    (kept,) = tmp_path.glob("diagnoser-bug-*.txt")
    assert "Traceback" in kept.read_text(encoding="utf-8")
