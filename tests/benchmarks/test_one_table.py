"""`make benchmark` ends in one table, whatever becomes of a single benchmark."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as everything
from benchmarks import reporting
from benchmarks.reporting import Line

LINE = Line(
    name="a loop", workload="digits", unit="s", ours=2.0, rival=4.0, rival_name="bare", ratio=0.5, goal="<= 1.1"
)
GOOD = f"""
import json, sys
from benchmarks import reporting
print("busy", file=sys.stderr)
line = reporting.{LINE!r}
print(json.dumps(reporting.document("good", rows=[1], table=[line], skipped=["MNIST skipped"])))
"""
FAILS = "import sys\nprint('no such model', file=sys.stderr)\nsys.exit(3)\n"
TALKS = "print('ratio 0.5')\n"


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"search": GOOD, "lr_scan": FAILS, "instruments": TALKS}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(everything, "HERE", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


def test_a_benchmark_that_fails_costs_its_own_lines_only(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert everything.main(["--quick", "--out", str(scripts / "out")]) == 1
    printed = capsys.readouterr().out
    assert "a loop" in printed
    assert "0.5" in printed
    assert "<= 1.1" in printed
    assert "MNIST skipped" in printed
    assert "lr_scan.py failed: it ended with 3: no such model" in printed
    assert "instruments.py failed: what it printed is not the JSON" in printed


def test_what_each_benchmark_said_is_kept(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert everything.main(["--only", "search", "--json", "--out", str(scripts / "out")]) == 0
    kept = json.loads((scripts / "out" / "search.json").read_text(encoding="utf-8"))
    assert kept["rows"] == [1]
    assert [Line(**line) for line in kept["table"]] == [LINE]
    assert json.loads(capsys.readouterr().out)["table"] == kept["table"]


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [
        ("<= 1.1", 1.1, True),
        ("<= 1.1", 1.2, False),
        (">= 2.5", 2.5, True),
        (">= 2.5", 2.2, False),
        (None, 2.2, None),
        (">= 2.5", None, None),
    ],
)
def test_a_goal_is_met_missed_or_not_measured(goal: str | None, ratio: float | None, met: bool | None) -> None:
    line = Line(name="", workload="", unit="s", ours=1.0, rival=1.0, rival_name="", ratio=ratio, goal=goal)
    assert line.is_met is met


def test_every_document_says_where_when_and_with_what_it_was_measured() -> None:
    found = reporting.document("search", rows=[], table=[], packages=["no-such-package"])
    assert found["machine"]["cores"] >= 1
    assert found["versions"]["no-such-package"] == "not installed"
    assert found["versions"]["torch"]
    assert found["date"].endswith("+00:00")
