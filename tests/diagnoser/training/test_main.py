"""The child program before any user code runs."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import gc, sys
from diagnoser.training.__main__ import _import_what_lives_for_ever
_import_what_lives_for_ever()
kept = gc.get_freeze_count()
import torch
parameter = torch.nn.Parameter(torch.zeros(1))
parameter.grad = torch.ones(1)
before = set(sys.modules)
torch.optim.Adam([parameter]).step()
late = {name for name in set(sys.modules) - before if name.startswith("torch._dynamo")}
print(gc.isenabled(), kept > 100_000, sorted(late))
"""


def test_user_code_finds_python_collecting_rubbish_but_not_looking_through_torch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout.split(maxsplit=2) == ["True", "True", "[]\n"], done.stderr
