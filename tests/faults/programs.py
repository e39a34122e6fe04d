"""What is a program of the corpus? Its spec as a mapping and its sources as text; and how both lie in a folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from diagnoser.spec.yaml_text import read_yaml

HEALTHY = Path(__file__).parent / "healthy"
SPEC = "diagnose.yaml"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One training program, as its author would send it. Treat both mappings as read-only."""

    name: str
    spec: Mapping[str, Any]
    sources: Mapping[str, str]


@cache
def healthy_names() -> tuple[str, ...]:
    """All healthy programs, in the order of their names."""
    return tuple(sorted(path.parent.name for path in HEALTHY.glob(f"*/{SPEC}")))


@cache
def read(name: str) -> Program:
    """One healthy program."""
    folder = HEALTHY / name
    text = (folder / SPEC).read_text(encoding="utf-8")
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    return Program(name=name, spec=read_yaml(text, file=name).value, sources=sources)


def files(program: Program) -> dict[str, str]:
    """File name -> text of a program's folder."""
    return {SPEC: as_yaml(program.spec), **program.sources}


def write(program: Program, folder: Path) -> None:
    """Put a program into a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(program).items():
        (folder / name).write_text(text, encoding="utf-8")


def as_yaml(spec: Mapping[str, Any]) -> str:
    """A line for each key, sections in braces, as the healthy programs have it."""
    return "".join(f"{key}: {value if isinstance(value, str) else _flow(value)}\n" for key, value in spec.items())


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # 0.00001 rather than 1e-05, which YAML 1.1 takes for a text
    if isinstance(value, str) and value.replace(":", "_").replace(".", "_").isidentifier():
        return value  # a name, or `module:attr`
    return json.dumps(value)
