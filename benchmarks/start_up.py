"""What takes seconds and is no experiment? Help, the start of a child, judge and printer; and the demo at its quickest.

    python benchmarks/start_up.py [--quick] [--json] [--repeats N]

Everything is warm: each command ran once before. A command is timed as a user waits for it, with Python's own start,
and again in processor time, which other work on the machine disturbs less. *Promised* is a number of seconds on two
idle cores; where others do the same bare, they are the rival.
"""

import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import DEVNULL, run

from benchmarks import reporting
from benchmarks.reporting import Line, number, say
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.reading import read_spec

DEMO = Path(__file__).resolve().parent.parent / "diagnoser" / "demo"
EXAMPLES = ("broken", "healthy")
REPEATS = 7
DEMO_SHARE = 3  # of the repeats one for a demo of many seconds
HELP_SECONDS, JUDGING_AND_PRINTING_SECONDS, DEMO_SECONDS = 0.4, 1.0, 20.0  # promised

PYTHON = (sys.executable, "-E", "-P", "-X", "utf8")
RECORDS = "from pydantic import BaseModel\nclass Record(BaseModel):\n    x: int"
BARE_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from digits import DigitsNet, build_data
(x, y), _ = build_data()
model = DigitsNet()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
torch.nn.functional.cross_entropy(model(x[:32]), y[:32]).backward()
optimizer.step()
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one thing cost: the median of its repeats."""

    name: str
    workload: str
    seconds: float
    processor_seconds: float
    promised: float | None = None
    bare: str = ""  # what others do for the same
    bare_seconds: float | None = None
    bare_processor_seconds: float | None = None


Cost = tuple[float, float]
"""Seconds by the clock on the wall, and of the processor."""


def cost(work: Callable[[], object]) -> Cost:
    """Time something that lives in processes of its own."""
    before, start = _processor_seconds(), time.perf_counter()
    work()
    return time.perf_counter() - start, _processor_seconds() - before


def command(*words: str | Path, cwd: Path) -> Callable[[], object]:
    """Run a program to its end; raises CalledProcessError when it fails."""
    return lambda: run([str(word) for word in words], cwd=cwd, stdout=DEVNULL, stderr=DEVNULL, check=True)


def measure(folder: Path, *, repeats: int) -> Iterator[Row]:
    """Measure all of it; the demo comes first, since it leaves the evidence that is judged."""
    for example in EXAMPLES:
        work = _example(folder, example)
        demo = command(*PYTHON, "-m", "diagnoser", "run", "--preset", "quick", "--no-cache", cwd=work)
        seconds, processor = _medians({"ours": demo}, repeats=max(1, repeats // DEMO_SHARE))["ours"]
        yield Row(
            name="quick, whole run", workload=f"digits demo, {example}", seconds=seconds,
            processor_seconds=processor, promised=DEMO_SECONDS,
        )  # fmt: skip
    work = folder / EXAMPLES[0]
    saved = work / "diagnosis"
    bare_python = "python, import click"
    yield _against(
        "diagnoser --help", "", command(*PYTHON, "-m", "diagnoser", "--help", cwd=folder),
        bare_python, command(*PYTHON, "-c", "import click", cwd=folder), promised=HELP_SECONDS, repeats=repeats,
    )  # fmt: skip
    judge = command(*PYTHON, "-m", "rules", "judge", saved / "evidence.json", cwd=folder)
    printer = command(*PYTHON, "-m", "reports", "--format", "html", saved / "diagnosis.json", cwd=folder)
    bare_records = command(*PYTHON, "-c", RECORDS, cwd=folder)
    for name, ours in (("judge", judge), ("print html", printer)):
        yield _against(name, "digits demo, quick", ours, "python, a pydantic model", bare_records, repeats=repeats)
    yield _against(
        "judge and print", "digits demo, quick", lambda: (judge(), printer()), "python, a pydantic model, twice",
        lambda: (bare_records(), bare_records()), promised=JUDGING_AND_PRINTING_SECONDS, repeats=repeats,
    )  # fmt: skip
    bare_start = command(sys.executable, "-c", BARE_PROGRAM, work, cwd=work)
    yield _against(
        "child, until it can train", "digits demo", _child(work), "the program itself, until its first step",
        bare_start, repeats=repeats,
    )  # fmt: skip


def _against(
    name: str,
    workload: str,
    ours: Callable[[], object],
    bare: str,
    theirs: Callable[[], object],
    *,
    repeats: int,
    promised: float | None = None,
) -> Row:
    medians = _medians({"ours": ours, "bare": theirs}, repeats=repeats)
    (seconds, processor), (bare_seconds, bare_processor) = medians["ours"], medians["bare"]
    return Row(
        name=name, workload=workload, seconds=seconds, processor_seconds=processor, promised=promised,
        bare=bare, bare_seconds=bare_seconds, bare_processor_seconds=bare_processor,
    )  # fmt: skip


def _medians(contenders: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, Cost]:
    """Warm each up, then let them take turns."""
    for work in contenders.values():
        work()
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, work in contenders.items():
            costs[name].append(cost(work))
    return {
        name: (statistics.median(wall for wall, _ in found), statistics.median(processor for _, processor in found))
        for name, found in costs.items()
    }


def _child(work: Path) -> Callable[[], object]:
    """Start the process that runs user code, have it load the program, and end it."""
    spec, source = read_spec(work / "diagnose.yaml")

    def start() -> None:
        with LocalExecutor(spec, folder=Path(source.folder), cache=None) as executor:
            executor.open()

    return start


def _example(folder: Path, example: str) -> Path:
    """Copy the bundled example."""
    work = folder / example
    work.mkdir()
    for file in (DEMO / example).iterdir():
        if file.is_file():
            shutil.copy(file, work)
    return work


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have ended
    return used.ru_utime + used.ru_stime


def lines(rows: Sequence[Row]) -> Iterator[Line]:
    """One line for each promise, and one for each rival."""
    for row in rows:
        note = f"processor time {number(row.processor_seconds)} s"
        if row.promised is not None:
            yield Line(
                name=row.name, workload=row.workload, unit="s", ours=row.seconds, rival=row.promised,
                rival_name="promised", ratio=row.seconds / row.promised, goal="<= 1", note=note,
            )  # fmt: skip
        if row.bare_seconds is not None and row.bare_processor_seconds is not None:
            yield Line(
                name=row.name, workload=row.workload, unit="s", ours=row.seconds, rival=row.bare_seconds,
                rival_name=row.bare, ratio=row.seconds / row.bare_seconds,
                note=f"processor time {number(row.processor_seconds / row.bare_processor_seconds)} times",
            )  # fmt: skip


@contextmanager
def _as_installed() -> Iterator[None]:
    """Let Python keep compiled files, as it does where a package was installed, and nothing else of the caller's."""
    kept = dict(os.environ)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["DIAGNOSER_CACHE"] = ""
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    asked = reporting.parser(__doc__, repeats=REPEATS).parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder, _as_installed():
        for row in measure(Path(folder), repeats=reporting.repeats_of(asked)):
            say(f"{row.name}, {row.workload}: {number(row.seconds)} s")
            rows.append(row)
    table = list(lines(rows))
    found = reporting.document("start_up", rows=[asdict(row) for row in rows], table=table)
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    reporting.print_lines(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
