"""What is known about each program of a corpus? Reads `truth.json`, and chooses the cases that are asked for."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from diagnoser.records import Record

Part = Literal["development", "held-out", "all"]
"""`held-out`: kept aside while the rules are written; a case that says nothing of it belongs to the development."""


class CorpusError(Exception):
    """The corpus or the call is wrong; nothing was run."""


class Case(Record):
    """One training program, and the truth about it."""

    corpus: str  # the name of its folder
    id: str
    name: str = ""
    faulty: bool
    categories: tuple[str, ...] = ()  # any of them is right; the first is the main one
    rules: tuple[str, ...] = ()  # any of them is right, as a best guess
    hints: tuple[str, ...] = ()  # what is worth a line (`info`) on a healthy program; more is a false alarm
    effect: str | None = None  # "silent": the metric does not show the fault
    metric: str | None = None
    twin: float | None = None  # validation metric of the mended program, mean over seeds
    held_out: bool = False

    @property
    def main_category(self) -> str | None:
        return self.categories[0] if self.categories else None


def parse(entry: dict[str, Any], *, corpus: str) -> Case:
    """Read one entry of `truth.json`."""
    measured = entry.get("measured") or {}
    twin = measured.get("twin") or {}
    return Case(
        corpus=corpus,
        id=entry["id"],
        name=entry.get("name") or "",
        faulty=bool(entry["faulty"]),
        categories=tuple(entry.get("categories") or ()),
        rules=tuple(entry.get("rules") or ()),
        hints=tuple(entry.get("hints") or ()),
        effect=entry.get("effect"),
        metric=metric_name(measured["metric"]) if measured.get("metric") else None,
        twin=twin.get("val"),
        held_out=bool(entry.get("held_out", False)),
    )


def metric_name(name: str) -> str:
    """Spell a metric as our files do: `balanced accuracy` and `R2` are `balanced_accuracy` and `r2`."""
    return name.strip().lower().replace(" ", "_").replace("²", "2")


def read(folder: Path) -> tuple[Case, ...]:
    """Every case of a corpus. Raises CorpusError when its truth cannot be read."""
    file = folder / "truth.json"
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["cases"]
        return tuple(parse(entry, corpus=folder.resolve().name) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"cannot read {file}: {type(error).__name__}: {error}") from error


def choose(folders: Sequence[Path], *, only: str | None, part: Part) -> tuple[tuple[Case, Path], ...]:
    """Give the cases that are asked for, each with its spec. Raises CorpusError for an id that no corpus has."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise CorpusError(f"two corpora have the same name: {', '.join(names)}")
    found = [(case, folder.resolve() / case.id / "diagnose.yaml") for folder in folders for case in read(folder)]
    wanted = {name.strip() for name in (only or "").split(",") if name.strip()}
    if unknown := wanted - {case.id for case, _ in found}:
        raise CorpusError(f"no such case: {', '.join(sorted(unknown))}")
    return tuple((case, spec) for case, spec in found if (not wanted or case.id in wanted) and _is_in(case, part=part))


def groups(cases: Iterable[Case]) -> dict[str, frozenset[tuple[str, str]]]:
    """Name what is scored apart: each corpus, its two parts where it has them, and all where there are several."""
    every = tuple(cases)
    found: dict[str, frozenset[tuple[str, str]]] = {}
    for corpus in dict.fromkeys(case.corpus for case in every):
        mine = [case for case in every if case.corpus == corpus]
        found[corpus] = _places(mine)
        kept_aside = [case for case in mine if case.held_out]
        if kept_aside and len(kept_aside) < len(mine):
            found[f"{corpus}, development"] = _places(case for case in mine if not case.held_out)
            found[f"{corpus}, held out"] = _places(kept_aside)
    if len({case.corpus for case in every}) > 1:
        found["together"] = _places(every)
    return found


def _places(cases: Iterable[Case]) -> frozenset[tuple[str, str]]:
    return frozenset((case.corpus, case.id) for case in cases)


def _is_in(case: Case, *, part: Part) -> bool:
    return part == "all" or case.held_out == (part == "held-out")
