"""Imports go one way, and each `__init__` costs nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("diagnoser", "rules", "reports", "workers")
LAZY = {"__getattr__", "__dir__"}


def init_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py"))


def test_every_import_contract_in_pyproject_is_kept() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    linted = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("path", init_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_init_file_holds_a_docstring_names_and_nothing_that_runs(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
    extra = [f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}" for node in unexpected(tree)]
    assert not extra, f"{path.relative_to(ROOT)} does more than offer names: {extra}"


@pytest.mark.parametrize("folder", ["tests", "docker", "examples", "benchmarks", "diagnoser/demo"])
def test_a_folder_that_is_no_package_has_no_init_file(folder: str) -> None:
    """In docker/ it would hide the Docker SDK, in tests/ it would make a package of that name."""
    assert not list((ROOT / folder).rglob("__init__.py"))


def unexpected(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements other than a docstring, names offered (`__all__`, re-exports) and a lazy `__getattr__`."""
    offers_names = any(assigns(node, "__all__") for node in tree.body)
    offers_lazily = any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)
    for number, node in enumerate(tree.body):
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if number == 0:
                pass
            case ast.Import() | ast.ImportFrom() if offers_names or offers_lazily:
                pass  # what an import costs is measured in test_light_imports.py
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]) if offers_lazily:
                pass
            case ast.FunctionDef(name=name) if name in LAZY:
                pass
            case ast.Assign() | ast.AnnAssign() if node.value is not None and is_plain(node.value):
                pass
            case _:
                yield node


def assigns(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def is_plain(value: ast.expr) -> bool:
    """Names and literals: nothing is called."""
    return not any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(value))
