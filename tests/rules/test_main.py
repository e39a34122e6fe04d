"""The judge as a program: what goes in, what comes out, and the exit code."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rules.__main__ import main
from rules.engine import judge
from tests.helpers import make, toy_rules
from tests.helpers.toy_rules import always, finding

Output = pytest.CaptureFixture[str]


@pytest.fixture
def evidence(tmp_path: Path) -> str:
    file = tmp_path / "evidence.json"
    file.write_text(make.evidence().model_dump_json())
    return str(file)


def written(folder: Path, name: str, *catalogue: object) -> str:
    file = folder / name
    file.write_text(judge(make.evidence(), catalogue=catalogue).model_dump_json())  # type: ignore[arg-type]
    return str(file)


def test_evidence_goes_in_and_a_diagnosis_comes_out(evidence: str, tmp_path: Path, capsys: Output) -> None:
    assert main(["judge", evidence, "-o", str(tmp_path / "diagnosis.json")]) == 0
    assert json.loads((tmp_path / "diagnosis.json").read_text())["verdict"] == "healthy"
    assert main(["judge", evidence]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "healthy"


def test_a_dash_reads_the_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(make.evidence().model_dump_json()))
    assert main(["draft", "-"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)


def test_a_file_that_is_not_there_is_told_in_one_line(capsys: Output) -> None:
    assert main(["judge", "nowhere.json"]) == 2
    assert capsys.readouterr().err == "rules: nowhere.json: No such file or directory\n"


def test_every_rule_is_listed_with_its_category_and_page(capsys: Output) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"id", "category", "title", "why", "docs", "needs"} <= set(listed[0])
    assert main(["list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(listed)


def test_the_page_of_a_rule_is_printed_and_a_slip_of_the_pen_is_helped(capsys: Output) -> None:
    assert main(["page", "inputs-non-finite"]) == 0
    assert capsys.readouterr().out.startswith("# ")
    assert main(["page", "inputs-not-finite"]) == 2
    assert "did you mean inputs-non-finite?" in capsys.readouterr().err


def test_the_gate_gives_its_exit_code_and_its_words(tmp_path: Path, capsys: Output) -> None:
    bad, good = written(tmp_path, "bad.json", always(finding())), written(tmp_path, "good.json", toy_rules.passing())
    assert main(["gate", bad]) == 1
    assert "gate failed: 1 finding stops it: always-wrong" in capsys.readouterr().out
    assert main(["gate", bad, "--baseline", bad]) == 0
    assert main(["gate", good, "--json"]) == 0
    assert '"outcome": "passed"' in capsys.readouterr().out


def test_the_command_line_hands_both_diagnoses_over_on_one_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    bad = json.loads(Path(written(tmp_path, "bad.json", always(finding()))).read_text())
    for baseline, code in ((None, 1), (bad, 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"diagnosis": bad, "baseline": baseline})))
        assert main(["gate", "-"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["exit_code"] == code
        assert answer["words"][0].startswith("gate ")


@pytest.mark.parametrize("program", ["rules", "reports"])
def test_a_program_that_ends_soon_does_not_look_for_rubbish(program: str, tmp_path: Path) -> None:
    """It takes a tenth of the time for which someone waits."""
    code = (
        "import gc, importlib, sys\n"
        f"module = importlib.import_module('{program}.__main__')\n"
        "module.main = lambda: gc.isenabled()\n"  # the code that it exits with
        "print(module.program(), gc.get_freeze_count() > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_proof_of_a_cure_needs_no_more_of_scipy_than_its_special_functions(tmp_path: Path) -> None:
    """Importing `scipy.stats` takes longer than all judging, and every run judges twice."""
    code = (
        "import sys\n"
        "from rules.confirmation import _interval\n"
        "print(_interval((0.1, 0.2, 0.4), looks=2)[0] < 0, *{'scipy.stats'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]
