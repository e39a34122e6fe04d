"""The pipeline's edges: how long loading may take, and files that are whole or not there."""

from pathlib import Path

import pytest

from diagnoser import local
from diagnoser.errors import UsageError
from diagnoser.protocol.log_curves import run_of
from diagnoser.sandbox.limits import LOAD_SECONDS
from diagnoser.spec.fields import Budget
from rules.engine import judge
from tests.helpers import make


@pytest.mark.parametrize(("minutes", "seconds"), [(10, LOAD_SECONDS), (0.5, 30), (0.01, local.SHORTEST_LOAD)])
def test_loading_may_take_no_longer_than_the_budget(
    minutes: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(local.LOAD_VARIABLE, raising=False)
    assert local.load_seconds(make.spec(budget=Budget(minutes=minutes))) == seconds


def test_whoever_needs_longer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(local.LOAD_VARIABLE, "900")
    assert local.load_seconds(make.spec()) == 900


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf", ""])
def test_a_limit_that_is_no_number_of_seconds_is_told(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(local.LOAD_VARIABLE, value)
    with pytest.raises(UsageError, match="write a number of seconds"):
        local.load_seconds(make.spec())


def test_three_files_are_written_and_nothing_half(tmp_path: Path) -> None:
    paths = local.write(judge(make.evidence()), tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["evidence.json", "diagnosis.json", "report.html"]
    assert sorted(tmp_path.glob("new/out/*")) == sorted(paths)


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        local.write(judge(make.evidence()), tmp_path / "file" / "out")


def test_logs_of_different_metrics_are_no_seeds_of_one_run(tmp_path: Path) -> None:
    values = {"train_loss": (2.0, 1.0), "validation_metric": (0.1, 0.2)}
    logs = [run_of(values, metric=metric, higher_is_better=True) for metric in ("accuracy", "f1")]
    with pytest.raises(UsageError, match=r"a\.csv: accuracy, b\.csv: f1"):
        local.evidence_of_logs(logs, [Path("a.csv"), Path("b.csv")], validation_rows=0)
