"""What was measured of a program? Kept beside the operators, with a hash of the files that it was measured on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.faults import programs
from tests.faults.programs import Program

MEASURED = Path(__file__).parent / "measured.json"
SHOWN = ("metric", "seeds", "train", "val", "train_loss", "val_loss", "initial_loss", "seconds")

Figures = Mapping[str, Any]


def read() -> dict[str, Figures]:
    """Key -> figures."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.is_file() else {}


def write(figures: Mapping[str, Figures]) -> None:
    """A line for each program."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(figures[key])}" for key in sorted(figures))
    MEASURED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def fingerprint(program: Program) -> str:
    """Two programs with the same files have the same figures."""
    return hashlib.sha256(json.dumps(programs.files(program), sort_keys=True).encode()).hexdigest()[:16]


def of(program: Program, key: str, measured: Mapping[str, Figures]) -> Figures | None:
    """What was measured of this very program; None when it has been changed since, or was not measured."""
    found = measured.get(key)
    return found if found is not None and found["files"] == fingerprint(program) else None


def shown(found: Figures | None, twin: Figures | None) -> dict[str, Any] | None:
    """The form of the public corpus."""
    if found is None:
        return None
    return {name: found[name] for name in SHOWN} | {
        "twin": None if twin is None else {name: twin[name] for name in SHOWN}
    }
