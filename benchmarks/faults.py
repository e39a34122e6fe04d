"""How often is the diagnosis right? Runs it over programs whose fault is known, and over healthy ones; prints tables.

    python -m benchmarks.faults CORPUS... [--jobs N] [--only ID,...] [--part development|held-out|all]
                                [--keep FOLDER] [--missing | --from FOLDER] [--judge-again] [--json]
                                [--preset standard] [--budget 2m] [--seeds 0,1,2] [--baselines]

A corpus is a folder with `truth.json` and a folder per case. Every case is diagnosed by `diagnoser run` as a program of
its own with nothing kept from before; what it wrote stays in `FOLDER/<corpus>/<case>/`, so that `--from FOLDER` can
score it again without running anything, and `--missing` runs only what is not there. `--judge-again` asks the present
rules about the kept evidence: it shows what a changed rule says, but a fix that is proposed only now was not tried.
`--part held-out` scores what was kept aside while the rules were written: look there once, and say what it was.

Definitions stand in `benchmarks/fault_scores/figures.py` and `tables.py`; all intervals are 95 %, by Wilson.
"""

import argparse
import json
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from benchmarks import reporting
from benchmarks.fault_scores import again, cases, printing, running, tables
from benchmarks.fault_scores.baselines import measure, table_rows
from benchmarks.fault_scores.cases import Case, CorpusError, Part
from benchmarks.fault_scores.figures import Figures, figures
from benchmarks.fault_scores.results import Result, Settings
from benchmarks.reporting import say

KEEP = Path(__file__).resolve().parent.parent / "build" / "faults" / "kept"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", metavar="CORPUS", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time (default %(default)s)")
    parser.add_argument("--only", metavar="ID,...", help="these cases")
    parser.add_argument("--part", choices=typing.get_args(Part), default="all", help="default: %(default)s")
    parser.add_argument("--keep", type=Path, default=KEEP, help="folder for what the runs write (default build/faults/kept)")
    parser.add_argument("--missing", action="store_true", help="run only what is not kept under the same settings")
    parser.add_argument("--from", dest="kept", metavar="FOLDER", type=Path, help="run nothing, score what is kept there")
    parser.add_argument("--judge-again", action="store_true", help="have the present rules judge the kept evidence")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--preset", default="standard", help="default: %(default)s")
    parser.add_argument("--budget", default="2m", help="of each case (default %(default)s)")
    parser.add_argument("--seeds", help="first seeds, comma-separated; the first one is scored, the others compared")
    parser.add_argument("--timeout", type=float, default=running.TIMEOUT, help="seconds of a case (default %(default)s)")
    parser.add_argument("--baselines", action="store_true", help="run simpler ways on the same cases, for comparison")
    asked = parser.parse_args(arguments)
    if asked.judge_again and not asked.kept:
        parser.error("--judge-again needs --from")
    asked.seeds = [None] if asked.seeds is None else [int(seed) for seed in asked.seeds.split(",")]
    return asked


def results_of(
    chosen: Sequence[tuple[Case, Path]], *, seed: int | None, asked: argparse.Namespace
) -> tuple[Result, ...]:
    """Run the cases, or read what is kept."""
    if asked.kept is not None:
        every = [case for case, _ in chosen]
        read = again.judge_all if asked.judge_again else running.read_all
        return tuple(read(every, out=asked.kept, seed=seed))
    settings = Settings(preset=asked.preset, budget=asked.budget, seed=seed)
    found = []
    for result in running.run_all(
        chosen,
        settings=settings,
        out=asked.keep,
        jobs=asked.jobs,
        timeout=asked.timeout,
        only_missing=asked.missing,
    ):
        printing.tell_case(result)
        found.append(result)
    return tuple(found)
