"""What does it cost to keep user code apart? A start and a trial at each sandbox level, beside those without walls.

    python benchmarks/isolation.py [--quick] [--json] [--repeats N]

Three things at each level that this machine reaches: a Python program that does nothing (the walls alone), a child
until it can train the bundled example, and one trial of it once the child is there. The levels take turns within one
run, and each is told as a ratio to `process`. Processor time of the child and all that it started is given too, which
other work on the machine disturbs less. A level that is not reached is named with the reason.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import reporting
from benchmarks.reporting import Line, number, say
from diagnoser.sandbox import tree
from diagnoser.sandbox.levels.ceilings import ceilings_for
from diagnoser.sandbox.levels.commands import Command, Walls, command
from diagnoser.sandbox.levels.level import LEVELS, Level
from diagnoser.sandbox.levels.probe import try_level
from diagnoser.sandbox.levels.reach import why_not
from diagnoser.sandbox.levels.seen import LANGUAGE, seen_by
from diagnoser.sandbox.limits import this_machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.reading import read_spec
from diagnoser.trials import Trial

DEMO = Path(__file__).resolve().parent.parent / "diagnoser" / "demo" / "healthy"
REPEATS = 7
UPDATES = 300  # of a trial: half a second
TRIALS = 5  # of each child
LONGEST = 600.0  # seconds that a trial may take
NOTHING = "pass"
MOST = 1000  # processes of ours

Cost = tuple[float, float | None]
"""Seconds by the clock on the wall, and of the processor where they are known."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one thing cost at one level: the medians of its repeats."""

    name: str
    level: Level
    seconds: float
    processor_seconds: float | None  # None: it has gone before anybody could ask


def measure(folder: Path, levels: Sequence[Level], *, repeats: int) -> Iterator[Row]:
    """Measure all of it, the levels in turn."""
    work = folder / "demo"
    shutil.copytree(DEMO, work)
    starts = {level: _nothing(level, work, folder) for level in levels}
    for start in starts.values():
        start()
    nothing: dict[Level, list[Cost]] = {level: [] for level in levels}
    opened: dict[Level, list[Cost]] = {level: [] for level in levels}
    trained: dict[Level, list[Cost]] = {level: [] for level in levels}
    for _ in range(repeats):
        for level, start in starts.items():
            nothing[level].append((start(), None))
        for level in levels:
            first, second = _opened_and_trained(level, work)
            opened[level].append(first)
            trained[level].append(second)
    yield from _rows("a program that does nothing", nothing)
    yield from _rows("a child until it can train", opened)
    yield from _rows(f"a trial of {UPDATES} updates", trained)


def _rows(name: str, found: Mapping[Level, Sequence[Cost]]) -> Iterator[Row]:
    for level, costs in found.items():
        processor = [spent for _, spent in costs if spent is not None]
        yield Row(
            name=name, level=level, seconds=statistics.median(wall for wall, _ in costs),
            processor_seconds=statistics.median(processor) if processor else None,
        )  # fmt: skip


def _nothing(level: Level, work: Path, folder: Path) -> Callable[[], float]:
    """Start Python as a child is started, and wait for its end."""
    spec, _ = read_spec(work / "diagnose.yaml")
    seen = seen_by(spec, work, given={})
    walls = Walls(level=level, seen=seen, ceilings=ceilings_for(spec, this_machine(), cuda=seen.cuda))
    program = [sys.executable, "-I", "-c", NOTHING]

    def start() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            made = Command([*program, "--parent", "0"], dict(LANGUAGE), work)
            if level != "process":
                made = command(walls, out=Path(out), program=program, environment=LANGUAGE)
            began = time.perf_counter()
            subprocess.run(made.arguments, env=made.environment, cwd=made.folder, check=True)
            return time.perf_counter() - began

    return start


def _opened_and_trained(level: Level, work: Path) -> tuple[Cost, Cost]:
    """Have a child load the program; then train, once to warm it up and a few times for the clock."""
    spec, _ = read_spec(work / "diagnose.yaml")
    began = time.perf_counter()
    with LocalExecutor(spec, folder=work, cache=None, processes=1, level=level) as executor:
        executor.open()
        opened = time.perf_counter() - began, _processor_seconds()
        _train(executor)
        costs = []
        for _ in range(TRIALS):
            before, began = _processor_seconds(), time.perf_counter()
            _train(executor)
            costs.append((time.perf_counter() - began, _processor_seconds() - before))
        wall, processor = zip(*costs, strict=True)
        return opened, (statistics.median(wall), statistics.median(processor))


def _train(executor: LocalExecutor) -> None:
    work = [Trial(seed=0, updates=UPDATES, evaluations=0)]
    (result,) = executor.run(work, deadline=time.monotonic() + LONGEST, on_result=_untold)
    assert result.error is None, result.error


def _untold(_index: int, _result: object) -> None:
    """Nobody waits for a single result."""


def _processor_seconds() -> float:
    """Add up what those have spent who descend from us: behind walls no rusage tells it."""
    ticks = 0
    for pid in tree.descendants(os.getpid(), most=MOST):
        with contextlib.suppress(OSError):
            after = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            ticks += int(after[11]) + int(after[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def lines(rows: Sequence[Row]) -> Iterator[Line]:
    """One line for each level with walls, beside `process`."""
    bare = {row.name: row for row in rows if row.level == "process"}
    for row in rows:
        rival = bare[row.name]
        if row is not rival:
            spent = row.processor_seconds, rival.processor_seconds
            yield Line(
                name=row.name, workload=row.level, unit="s", ours=row.seconds, rival=rival.seconds,
                rival_name="process", ratio=row.seconds / rival.seconds,
                note=f"processor time {number(spent[0] / spent[1])} times" if spent[0] and spent[1] else "",
            )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    asked = reporting.parser(__doc__, repeats=REPEATS).parse_args(arguments)
    os.environ["DIAGNOSER_CACHE"] = ""
    tried = {level: try_level(level) for level in LEVELS if level != "process"}
    levels: list[Level] = ["process", *(level for level, one in tried.items() if one.is_reached)]
    skipped = [f"{level}: {why_not(one)}" for level, one in tried.items() if not one.is_reached]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(Path(folder), levels, repeats=reporting.repeats_of(asked)):
            say(f"{row.name}, {row.level}: {number(row.seconds)} s")
            rows.append(row)
    table = list(lines(rows))
    found = reporting.document("isolation", rows=[asdict(row) for row in rows], table=table, skipped=skipped)
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    reporting.print_lines(table)
    for words in skipped:
        print("not reached:", words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
