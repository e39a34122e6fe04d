"""Which files does a result rest on? Those of the user's that were imported, wherever they lie, by what they say."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diagnoser.evidence.evidence import Source
from diagnoser.training import environment
from diagnoser.training.environment import users_files

NAMES = ("at_home", "elsewhere", "installed", "of_the_user")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project, a folder beside it that is on the path, and an environment with a package inside the project."""
    home, beside, packages = tmp_path / "home", tmp_path / "beside", tmp_path / "home" / ".venv" / "site-packages"
    for folder, name in ((home, "at_home"), (beside, "elsewhere"), (packages, "installed"), (home, "unused")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text("LIMIT = 3\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
    yield home
    for name in NAMES:
        sys.modules.pop(name, None)


def source(folder: Path) -> Source:
    return environment._source(folder)


def files(folder: Path) -> set[str]:
    """Without what these tests themselves have imported."""
    return {name for name in users_files(folder) if Path(name).stem in NAMES}


def test_imported_files_count_and_installed_or_unused_ones_do_not(home: Path) -> None:
    for name in ("at_home", "installed"):
        importlib.import_module(name)
    assert files(home) == {"at_home.py"}


def test_code_beside_the_project_counts_unless_it_is_a_package(home: Path) -> None:
    importlib.import_module("elsewhere")
    assert files(home) == {"../beside/elsewhere.py"}
    before = source(home)
    (home.parent / "beside" / "elsewhere.py").write_text("LIMIT = 4\n", encoding="utf-8")
    assert source(home).code_hash != before.code_hash


def test_a_module_that_a_package_wrote_elsewhere_is_not_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile writes kernels into a temporary folder and imports them under a name of its own."""
    module = importlib.import_module("elsewhere")
    monkeypatch.setitem(sys.modules, "torch._kernels.of_the_user", module)
    del sys.modules["elsewhere"]
    assert files(home) == set()


def test_a_file_that_is_gone_is_left_out(home: Path) -> None:
    importlib.import_module("at_home")
    (home / "at_home.py").unlink()
    assert files(home) == set()


def test_a_comment_changes_the_bytes_and_not_what_is_said(home: Path) -> None:
    importlib.import_module("at_home")
    before = source(home)
    (home / "at_home.py").write_text("LIMIT = 3  # of what?\n", encoding="utf-8")
    after = source(home)
    assert after.hash != before.hash
    assert after.code_hash == before.code_hash != ""


def test_another_name_for_a_file_is_another_source(home: Path) -> None:
    importlib.import_module("at_home")
    before = source(home)
    (home / "at_home.py").rename(home / "of_the_user.py")
    sys.modules.pop("at_home")
    importlib.invalidate_caches()
    importlib.import_module("of_the_user")
    assert source(home).code_hash != before.code_hash
