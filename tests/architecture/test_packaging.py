"""What is installed is ours, complete, and at a version that is written down."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("diagnoser", "rules", "reports", "workers")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared() -> list[Requirement]:
    """Every package that pyproject.toml names, our own extras aside."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"], *(x for e in extras for x in e)]
    return [need for need in map(Requirement, lines) if need.name != PROJECT["project"]["name"]]


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


@pytest.mark.parametrize("need", declared(), ids=str)
def test_constraints_hold_a_version_that_pyproject_allows(need: Requirement) -> None:
    version = pinned().get(canonicalize_name(need.name))
    assert version is not None, f"{need.name} has no line in constraints.txt"
    assert need.specifier.contains(version)


def test_the_makefile_installs_the_torch_that_constraints_name() -> None:
    asked = set(re.findall(r"torch==(\S+)", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert asked == {pinned()["torch"]}


def test_each_package_is_the_one_of_this_project_even_in_a_folder_with_its_own_rules(tmp_path: Path) -> None:
    """`rules` and `reports` are names that others have too; -E -P is how our programs are started."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    program = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    found = subprocess.run(
        [sys.executable, "-E", "-P", "-c", program, *PACKAGES],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    folders = {Path(file).parents[1] for file in found}
    assert len(found) == len(PACKAGES)
    assert len(folders) == 1, "the packages come from different distributions"
    assert tmp_path not in folders


def test_the_command_diagnoser_starts_our_command_line() -> None:
    (script,) = entry_points(group="console_scripts", name="diagnoser")
    assert script.value == "diagnoser.cli.app:main"
    assert callable(script.load())


def test_git_ignores_nothing_that_the_packages_need() -> None:
    """The build leaves out what git ignores: a page or a template would be missing, without a word."""
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "-z", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split("\0")
    assert [path for path in listed if path and "__pycache__" not in path] == []
