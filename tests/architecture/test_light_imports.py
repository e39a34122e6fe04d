"""Someone who only asks for help, judges a file or prints a report does not wait for torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "sklearn", "scipy", "numpy", "pandas", "matplotlib", "celery", "redis", "fastapi"}
MAY_COUNT = {"rules.engine": {"numpy", "scipy"}}  # statistics in rules come from SciPy
CLEAN = ("-E", "-P")  # neither PYTHONPATH nor the current folder: as our own programs are started


def interpreter(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *CLEAN, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import diagnoser",
        "from diagnoser import cli",
        "import diagnoser.spec, diagnoser.trials, diagnoser.evidence, diagnoser.findings",
        "import diagnoser.protocol",
        "import diagnoser.sandbox",
        "import diagnoser.ledger.sqlite",
        "import rules.engine",
        "import reports.html",
    ],
)
def test_importing_loads_no_heavy_package(statement: str, tmp_path: Path) -> None:
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = interpreter("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & (HEAVY - MAY_COUNT.get(statement.removeprefix("import "), set()))


@pytest.mark.parametrize("module", ["diagnoser", "rules", "reports"])
def test_asking_a_program_for_help_loads_no_heavy_package(module: str, tmp_path: Path) -> None:
    done = interpreter("-X", "importtime", "-m", module, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
    imported = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:"))
    loaded = {name.partition(".")[0] for name in imported}
    assert not loaded & (HEAVY - MAY_COUNT.get(f"{module}.engine", set()))


def test_the_help_names_every_command_a_user_begins_with(tmp_path: Path) -> None:
    done = interpreter("-m", "diagnoser", "--help", cwd=tmp_path)
    assert [word for word in ("run", "demo", "rules", "report") if word not in done.stdout] == []
