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
from typing import Any

from benchmarks import reporting
from benchmarks.fault_scores import again, baselines, cases, printing, repairs, running, tables
from benchmarks.fault_scores.baselines import Way
from benchmarks.fault_scores.cases import Case, CorpusError, Part
from benchmarks.fault_scores.figures import Figures, figures
from benchmarks.fault_scores.results import Result, Settings
from benchmarks.fault_scores.shares import Share
from benchmarks.reporting import say
from diagnoser.records import Record

KEEP = Path(__file__).resolve().parent.parent / "build" / "faults" / "kept"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", metavar="CORPUS", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time (default %(default)s)")
    parser.add_argument("--only", metavar="ID,...", help="these cases")
    parser.add_argument("--part", choices=typing.get_args(Part), default="all", help="default: %(default)s")
    parser.add_argument(
        "--keep", type=Path, default=KEEP, help="folder for what the runs write (default build/faults/kept)"
    )
    parser.add_argument("--missing", action="store_true", help="run only what is not kept under the same settings")
    parser.add_argument(
        "--from", dest="kept", metavar="FOLDER", type=Path, help="run nothing, score what is kept there"
    )
    parser.add_argument("--judge-again", action="store_true", help="have the present rules judge the kept evidence")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--preset", default="standard", help="default: %(default)s")
    parser.add_argument("--budget", default="2m", help="of each case (default %(default)s)")
    parser.add_argument("--seeds", help="first seeds, comma-separated; the first one is scored, the others compared")
    parser.add_argument(
        "--timeout", type=float, default=running.TIMEOUT, help="seconds of a case (default %(default)s)"
    )
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
    how = {"settings": settings, "out": asked.keep, "jobs": asked.jobs, "timeout": asked.timeout}
    found = []
    for result in running.run_all(chosen, only_missing=asked.missing, **how):
        printing.tell_case(result)
        found.append(result)
    return tuple(found)


def simpler_ways(
    chosen: Sequence[tuple[Case, Path]], results: Sequence[Result], *, asked: argparse.Namespace
) -> tuple[Way, ...]:
    """Ask simpler ways about the same cases, or read what they said."""
    every = [case for case, _ in chosen]
    out = asked.keep if asked.kept is None else asked.kept
    found = {case: running.folder_of(every, case, out=out, seed=asked.seeds[0]) for case in every}
    folders = {(case.corpus, case.id): folder for case, folder in found.items() if folder is not None}
    if asked.kept is None:
        baselines.ask(results, {(case.corpus, case.id): spec for case, spec in chosen}, folders)
    return baselines.ways(baselines.answers(results, folders))


def notes(chosen: Sequence[tuple[Case, Path]], results: Sequence[Result], *, part: Part) -> list[str]:
    """Say what the figures do not cover."""
    said = []
    if missing := len(chosen) - len(results):
        said.append(f"{missing} of {len(chosen)} cases were not run and are left out")
    if unknown := sum(result.seconds is None for result in results):
        said.append(f"the seconds of {unknown} cases are not known")
    if part == "development":
        said.append("what is held out was left aside")
    return said


def document(by_seed: Sequence[Sequence[Result]], *, ways: Sequence[Way], skipped: Sequence[str]) -> dict[str, Any]:
    """Put everything into one object for JSON."""
    results = by_seed[0]
    rows = [
        {
            "corpus": one.case.corpus,
            "id": one.case.id,
            "faulty": one.case.faulty,
            "held_out": one.case.held_out,
            "verdict": one.verdict,
            "primary": one.primary_rule,
            "category": one.primary_category,
            "remark": one.remark,
            "repaired": one.repaired,
            "seconds": one.seconds,
        }
        for one in results
    ]
    return reporting.document("faults", rows=rows, table=[], skipped=skipped, packages=["scipy"]) | {
        "figures": {name: as_json(one) for name, one in figures_by_group(results).items()},
        "confusion": [one.model_dump() for one in tables.confusion(results)],
        "rules": [as_json(one) for one in tables.by_rule(results)],
        "unmended": [one.model_dump() for one in repairs.unmended(results)],
        "calibration": [as_json(one) for one in tables.calibration(results)],
        "seeds": as_json(tables.agreement(by_seed)) if len(by_seed) > 1 else None,
        "baselines": [as_json(way) for way in ways],
    }


def as_json(record: Record) -> dict[str, object]:
    """Write a record with the interval of each of its shares."""
    values = {name: getattr(record, name) for name in type(record).model_fields}
    return {name: value.record() if isinstance(value, Share) else value for name, value in values.items()}


def figures_by_group(results: Sequence[Result]) -> dict[str, Figures]:
    """Count each corpus, its parts, and all together."""
    return {
        name: figures([result for result in results if (result.case.corpus, result.case.id) in members])
        for name, members in cases.groups(result.case for result in results).items()
    }


def show(by_seed: Sequence[Sequence[Result]], *, ways: Sequence[Way], skipped: Sequence[str]) -> None:
    """Print every table."""
    results = by_seed[0]
    printing.figures_table(figures_by_group(results))
    print()
    printing.confusion_table(tables.confusion(results))
    print()
    printing.rules_table(tables.by_rule(results))
    if unmended := repairs.unmended(results):
        print()
        printing.unmended_table(unmended)
    print()
    printing.calibration_table(tables.calibration(results))
    if len(by_seed) > 1:
        print()
        printing.agreement_table(tables.agreement(by_seed))
    if ways:
        print()
        printing.ways_table(ways)
    print("\n".join(["", *skipped]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or read, then print; 0 whatever the scores, 2 when the call or a corpus is wrong."""
    asked = parse(arguments)
    try:
        chosen = cases.choose(asked.corpora, only=asked.only, part=asked.part)
    except CorpusError as error:
        say(f"faults: {error}")
        return 2
    if not chosen:
        say("faults: there is no such case")
        return 2
    by_seed = [results_of(chosen, seed=seed, asked=asked) for seed in asked.seeds]
    ways = simpler_ways(chosen, by_seed[0], asked=asked) if asked.baselines else ()
    skipped = notes(chosen, by_seed[0], part=asked.part)
    if asked.json:
        print(json.dumps(document(by_seed, ways=ways, skipped=skipped)))
    else:
        show(by_seed, ways=ways, skipped=skipped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
