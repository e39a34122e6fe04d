"""Behind walls, code sees its folder, its data and Python; of the variables those that its spec names, and none of ours."""

import sys
from pathlib import Path

import pytest

from diagnoser.errors import UsageError
from diagnoser.sandbox.levels.seen import PACKAGE, seen_by
from diagnoser.spec.fields import Data, Factory, TrainingSpec


def spec(*, paths: tuple[str, ...] = (), environment: tuple[str, ...] = ()) -> TrainingSpec:
    data = Data(factory="project:build_data", paths=paths)
    return TrainingSpec(
        name="seen", model=Factory(factory="project:build_model"), data=data, environment=environment, device="cpu"
    )


def test_python_is_seen_through_its_links(tmp_path: Path) -> None:
    shown = seen_by(spec(), tmp_path, given={}).read_only
    for file in (Path(sys.executable), Path(sys.executable).resolve(), PACKAGE / "training" / "__main__.py"):
        assert any(file.is_relative_to(path) for path in shown), file
    assert PACKAGE.parent not in shown  # of our repository, or of whatever lies beside us, nothing


def test_data_may_be_named_from_the_specs_folder(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "data").mkdir()
    seen = seen_by(spec(paths=("../data",)), tmp_path / "project", given={})
    assert seen.data == (tmp_path / "data",)
    assert seen.shows(str(tmp_path / "data" / "rows.csv"))
    assert not seen.shows(str(tmp_path / "secret"))
    assert not seen.shows("\0")


def test_a_linked_folder_is_seen_under_both_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    shown = seen_by(spec(), tmp_path / "link", given={}).read_only
    assert {tmp_path / "real", tmp_path / "link"} <= set(shown)


def test_what_is_not_there_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone is not there"):
        seen_by(spec(paths=("gone",)), tmp_path, given={})


@pytest.mark.parametrize("folder", ["/", "/home", "/etc", str(Path.home()), "/tmp"])
def test_a_folder_that_holds_everybodys_things_is_refused(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="a folder of their own"):
        seen_by(spec(), Path(folder), given={})


def test_of_the_variables_only_those_are_handed_over_that_the_spec_names(tmp_path: Path) -> None:
    given = {"DATA_ROOT": "/data", "AWS_SECRET": "x", "DIAGNOSER_TOKEN": "y", "CUDA_VISIBLE_DEVICES": "1"}
    named = spec(environment=("DATA_ROOT", "DIAGNOSER_TOKEN", "ABSENT"))
    variables = seen_by(named, tmp_path, given=given).variables
    assert variables["DATA_ROOT"] == "/data"
    assert variables["CUDA_VISIBLE_DEVICES"] == "1"  # or another card than the chosen one would be used
    assert not {"AWS_SECRET", "DIAGNOSER_TOKEN", "ABSENT"} & set(variables)
