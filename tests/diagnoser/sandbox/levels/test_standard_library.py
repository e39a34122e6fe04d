"""What runs between the walls and the user's code, or in its place, needs no package of anybody's."""

import ast
import sys
from pathlib import Path

import pytest

from diagnoser.sandbox import levels

FOLDER = Path(levels.__file__).parent
OURS = "diagnoser.sandbox.levels"


@pytest.mark.parametrize("name", ["enter", "landlock", "seccomp", "canary", "decoy"])
def test_it_imports_the_standard_library_alone(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != OURS:
            modules.add(str(node.module).partition(".")[0])
    assert modules
    assert modules <= sys.stdlib_module_names
