"""How do simpler ways do on the same cases? Asks `simple.py` about each, keeps its answers, and counts them.

It needs the kept evidence of a case; random search gets as many seconds on a program as our treatments took there, and
where nothing was tried as many as they took in the middle.
"""

import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.fault_scores.repairs import is_mended, twin_is_known
from benchmarks.fault_scores.results import FixTried, Found, Result
from benchmarks.fault_scores.running import SIMPLER
from benchmarks.fault_scores.shares import Share, share
from benchmarks.fault_scores.simple import Simple
from benchmarks.reporting import say
from diagnoser.records import Record

PRINTED = "simple.txt"
USUAL_SECONDS = 25.0  # the treatments' 21 % of two minutes, where no case tried anything
TIMEOUT = 1800.0
Asked = tuple[Result, Simple]


class Way(Record):
    """One row of the table."""

    way: str
    detection: Share  # of the faulty
    false_alarm: Share  # of the healthy
    repaired: Share  # of the faulty
    mended: Share  # of the faulty whose twin is known: within two points of it


def ask(
    results: Sequence[Result], specs: Mapping[tuple[str, str], Path], folders: Mapping[tuple[str, str], Path]
) -> None:
    """Ask about every case that has evidence and no answer yet, one after the other."""
    usual = usual_seconds(results)
    for result in results:
        name = (result.case.corpus, result.case.id)
        folder = folders[name]
        if not (folder / "evidence.json").is_file() or (folder / SIMPLER).is_file():
            continue
        command = [
            sys.executable,
            "-m",
            "benchmarks.fault_scores.simple",
            str(specs[name]),
            str(folder / "evidence.json"),
        ]
        more = ["--repair-seconds", f"{result.treatment_seconds or usual:.1f}"] if result.case.faulty else []
        say(f"{name[0]}/{name[1]}: simpler ways ...")
        with (folder / PRINTED).open("wb") as printed, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [*command, str(folder / SIMPLER), *more],
                cwd=Path(__file__).resolve().parents[2],
                stdout=printed,
                stderr=subprocess.STDOUT,
                check=False,  # a case that cannot be asked is left out of the table
                timeout=TIMEOUT,
            )


def answers(results: Sequence[Result], folders: Mapping[tuple[str, str], Path]) -> tuple[Asked, ...]:
    """Read what is there."""
    found = []
    for result in results:
        file = folders[result.case.corpus, result.case.id] / SIMPLER
        if file.is_file():
            found.append((result, Simple.model_validate_json(file.read_text(encoding="utf-8"))))
    return tuple(found)


def usual_seconds(results: Sequence[Result]) -> float:
    """What the treatments took in the middle."""
    return median([result.treatment_seconds for result in results if result.treatment_seconds] or [USUAL_SECONDS])


def ways(asked: Sequence[Asked]) -> tuple[Way, ...]:
    """Count ours and theirs on the same cases."""
    faulty = [pair for pair in asked if pair[0].case.faulty]
    healthy = [pair for pair in asked if not pair[0].case.faulty]
    twins = [pair for pair in faulty if twin_is_known(pair[0])]
    nothing = Share(hits=0, of=0)
    return (
        Way(
            way="diagnoser",
            detection=share(ours.detected for ours, _ in faulty),
            false_alarm=share(ours.false_alarm for ours, _ in healthy),
            repaired=share(ours.repaired for ours, _ in faulty),
            mended=share(is_mended(ours) for ours, _ in twins),
        ),
        Way(
            way="initial loss, 16 samples",
            detection=share(theirs.alarms for _, theirs in faulty),
            false_alarm=share(theirs.alarms for _, theirs in healthy),
            repaired=nothing,
            mended=nothing,
        ),
        Way(
            way="random search",
            detection=nothing,
            false_alarm=nothing,
            repaired=share(theirs.repair.state == "verified" for _, theirs in faulty if theirs.repair),
            mended=share(is_mended(searched(ours, theirs)) for ours, theirs in twins if theirs.repair),
        ),
    )


def searched(ours: Result, theirs: Simple) -> Result:
    """The same case as if its one fix were that of the search, to be judged alike."""
    if theirs.repair is None:
        return ours.model_copy(update={"findings": ()})
    fix = FixTried(can_be_tried=True, state=theirs.repair.state, metric=theirs.repair.metric, after=theirs.repair.after)
    found = Found(
        rule="random-search",
        category="learning-rate",
        severity="warning",
        confidence="low",
        explained=False,
        fixes=(fix,),
    )
    return ours.model_copy(update={"findings": (found,)})
