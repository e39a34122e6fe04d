"""Write the corpus: `python -m tests.faults.build OUT [--only m001,m002]`, a folder for each program and `truth.json`.

Faulty programs come from the operators, healthy ones as they are. The form is that of the public corpus, with
`held_out`, `program`, `operator` and `hints` beside it.
"""

import argparse
import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import figures, numbering, programs
from tests.faults.faults import FAULTS
from tests.faults.mutation import Fault
from tests.faults.programs import Program


@dataclass(frozen=True, kw_only=True)
class Case:
    """One program of the corpus; `fault` is None for a healthy one as it lies there."""

    id: str
    key: str
    program: Program
    fault: Fault | None


def cases() -> tuple[Case, ...]:
    """All cases, by id. Raises KeyError for one without an id: `--number` gives it one."""
    ids = numbering.read()
    healthy = (Case(id=ids[n], key=n, program=programs.read(n), fault=None) for n in programs.healthy_names())
    faulty = (Case(id=ids[f.key], key=f.key, program=f.program_with_fault(), fault=f) for f in FAULTS)
    return tuple(sorted((*healthy, *faulty), key=lambda case: case.id))


def build(out: Path, *, only: Collection[str] = ()) -> int:
    """Write the cases and the truth about them; returns how many."""
    everything = cases()
    chosen = [case for case in everything if not only or case.id in only]
    if unknown := set(only) - {case.id for case in chosen}:
        raise ValueError(f"no such case: {', '.join(sorted(unknown))}")
    out.mkdir(parents=True, exist_ok=True)
    for case in chosen:
        folder = out / case.id
        if folder.is_dir():
            shutil.rmtree(folder)
        programs.write(case.program, folder)
    there = {case.key: case.id for case in chosen}
    measured = figures.read()
    truth = [_truth(case, there=there, measured=measured) for case in chosen]
    (out / "truth.json").write_text(json.dumps({"cases": truth}, indent=1) + "\n", encoding="utf-8")
    return len(chosen)


def _truth(case: Case, *, there: dict[str, str], measured: dict[str, figures.Figures]) -> dict[str, Any]:
    fault, name = case.fault, case.program.name
    wrong = fault if fault is not None and fault.faulty else None
    twin = None if wrong is None else figures.of(programs.read(name), name, measured)
    return {
        "id": case.id,
        "name": name if fault is None else f"{name}: {fault.operator}",
        "faulty": wrong is not None,
        "categories": [] if wrong is None else list(wrong.categories),
        "rules": [] if wrong is None else list(wrong.rules),
        "effect": None if wrong is None else wrong.effect,
        "note": None if fault is None else fault.note,
        "measured": figures.shown(figures.of(case.program, case.key, measured), twin),
        "source": "written as healthy" if fault is None else fault.source,
        "pair": None if wrong is None else there.get(name),
        "family": name,
        "held_out": numbering.held_out(case.id),
        "program": name,
        "operator": None if fault is None else fault.operator,
        "hints": [] if fault is None or fault.faulty else list(fault.rules),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", help="folder of the corpus; case folders in it are written anew")
    parser.add_argument("--only", metavar="IDS", default="", help="comma-separated ids of the cases to write")
    parser.add_argument("--number", action="store_true", help="give ids to new programs and operators first")
    arguments = parser.parse_args(argv)
    if arguments.number:
        keys = [*programs.healthy_names(), *(fault.key for fault in FAULTS)]
        numbering.write(numbering.with_new(keys, numbering.read()))
    elif arguments.out is None:
        parser.error("which folder?")
    if arguments.out is not None:
        only = [name.strip() for name in arguments.only.split(",") if name.strip()]
        try:
            print(f"{build(arguments.out, only=only)} cases in {arguments.out}")
        except ValueError as error:
            parser.error(str(error))


if __name__ == "__main__":
    main()
