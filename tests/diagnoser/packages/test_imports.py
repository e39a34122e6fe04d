"""What a source needs of others is known before it is sent, and nothing is called missing that is there."""

from pathlib import Path

import pytest

from diagnoser.packages.imports import Import, Imports, third_party
from diagnoser.packages.installed import installed, missing
from diagnoser.packages.selecting import select

TORCH = "import torch\n"


def imports_of(root: Path, files: dict[str, str], *start: str) -> Imports:
    for path, text in {"diagnose.yaml": "", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return third_party(select(root / "diagnose.yaml"), start=start)


def named(imports: Imports) -> dict[str, bool]:
    """Each module, and whether the source can do without it."""
    return {each.module: each.optional for each in imports.modules}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import torch.nn as nn, numpy\n", {"torch": False, "numpy": False}),
        ("from timm.models import create_model\n", {"timm": False}),
        ("import os, sys, json\nfrom collections import abc\n", {}),
        ("from __future__ import annotations\n", {}),
        ("def build():\n    import timm\n", {"timm": False}),
        ("class A:\n    async def f(self):\n        if 1:\n            import timm\n", {"timm": False}),
        ("try:\n    import apex\nexcept ImportError:\n    apex = None\n", {"apex": True}),
        ("try:\n    import ujson\nexcept (ImportError, OSError):\n    import simplejson\n", {"ujson": True, "simplejson": True}),
        ("try:\n    import apex\nexcept:\n    pass\n", {"apex": True}),
        ("try:\n    import apex\nfinally:\n    pass\n", {"apex": False}),
        ("try:\n    import apex\nexcept ValueError:\n    pass\n", {"apex": False}),
        ("try:\n    import apex\nexcept ImportError:\n    pass\nimport apex\n", {"apex": False}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\nelse:\n    import numpy\n", {"numpy": False}),
        ("if __name__ == '__main__':\n    import wandb\n", {}),
        ("import model2\nfrom nets import unet\nfrom nets.unet import Net\nimport nets.unet\n", {}),
        ("from . import model2\nfrom .absent import x\nfrom .nets import *\n", {}),
        ("from helper import x\n", {}),  # code/helper.py, behind a sys.path of the user's
        ("x = '\\d'\nimport torch\n", {"torch": False}),  # a warning of Python's is none of ours
    ],
)  # fmt: skip
def test_the_imports_of_a_file_are_found(text: str, expected: dict[str, bool], tmp_path: Path) -> None:
    files = {"model.py": text, "model2.py": "", "nets/unet.py": "", "code/helper.py": ""}
    assert named(imports_of(tmp_path, files)) == expected


def test_only_what_the_spec_leads_to_counts(tmp_path: Path) -> None:
    files = {
        "model.py": "from nets import blocks\n",
        "nets/__init__.py": "from .unet import Net\n",
        "nets/blocks.py": "import einops\n",
        "nets/unet.py": "from ..shared.layers import x\nimport timm\n",
        "shared/layers.py": TORCH,
        "tests/test_model.py": "import pytest\n",
        "setup.py": "import setuptools\n",
        "train.py": "import wandb\n",
    }
    assert named(imports_of(tmp_path, files, "model")).keys() == {"einops", "timm", "torch"}
    assert "wandb" in named(third_party(select(tmp_path / "diagnose.yaml")))


def test_a_module_that_the_spec_itself_names_counts_too(tmp_path: Path) -> None:
    imports = imports_of(tmp_path, {"data.py": TORCH}, "data", "torchvision.models")
    assert [(each.module, each.file) for each in imports.modules] == [("torch", "data.py"), ("torchvision", "the spec")]


def test_the_place_of_an_import_is_told(tmp_path: Path) -> None:
    (one,) = imports_of(tmp_path, {"model.py": "import os\n\nimport timm\nimport timm.data\n"}, "model").modules
    assert (one.module, one.file, one.line) == ("timm", "model.py", 3)


@pytest.mark.parametrize(
    "text", ["print 'python 2'\n", "x = (" * 500, "\0", "é = 1\n".encode("latin-1").decode("latin-1") + "(("]
)
def test_a_file_that_is_no_python_is_named_and_stops_nothing(text: str, tmp_path: Path) -> None:
    imports = imports_of(tmp_path, {"bad.py": text, "model.py": "import bad, torch\n"}, "model")
    assert imports.unread == ("bad.py",)
    assert named(imports) == {"torch": False}


def test_nothing_of_the_source_is_executed(tmp_path: Path) -> None:
    imports_of(tmp_path, {"model.py": f"open({str(tmp_path / 'ran')!r}, 'w')\n"}, "model")
    assert not (tmp_path / "ran").exists()


def test_what_is_missing_is_what_is_needed_and_not_there() -> None:
    needed, wanted = (
        Import(module="timm", optional=False, file="m.py", line=1),
        Import(module="apex", optional=True, file="m.py"),
    )
    there = Import(module="torch", optional=False, file="m.py")
    assert missing(Imports(modules=(needed, wanted, there), unread=()), {"torch", "numpy"}) == (needed,)


def test_this_machine_tells_what_it_has_by_module_and_distribution() -> None:
    found = {each.module: each for each in installed()}
    assert found["sklearn"].distribution == "scikit-learn"
    assert found["torch"].version is not None
    assert found["pathspec"].version is not None
    assert "absent_module" not in found
