"""What does a whole diagnosis cost, beside the bare time of its own steps? Preset standard, a healthy CNN, no cache.

    python benchmarks/diagnosis.py [--quick] [--json] [--repeats N] [--data FOLDER] [--breakdown]

On the digits demo and on 10,000 MNIST digits, twice each:

* *everything on*: two processes, stacking where it pays. Goal (MNIST): at most 0.5 times the bare time of the updates
  that its plan would take with nothing saved;
* *one core, unstacked*: one process of one thread, one trial after the other. Goal (MNIST): at most 1.1 times the bare
  time of the updates that it really took.

Bare: the loop that a user would write (a DataLoader with 0 workers, torch's default optimizer, one thread), measured
before and after each diagnosis; the median counts. Both are also held together by processor time, which other work on
the machine disturbs less. Our wall time has everything in it: the interpreter's start,
preflight, evaluations, judging twice and printing. `benchmarks/in_full.py` says what "nothing saved" means. The budget
is large enough that nothing is cut; if something was, the table says so.
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import accounts, bare_cost, in_full, reporting
from benchmarks.bare_cost import Cost
from benchmarks.in_full import Kind
from benchmarks.mnist_faults import HEALTHY_LR
from benchmarks.recorded import Recorded
from benchmarks.reporting import Line, number, say
from diagnoser.protocol.overfit import PER_CLASS
from diagnoser.spec.reading import read_spec

ROOT = Path(__file__).resolve().parent.parent
DEMO, MNIST = ROOT / "diagnoser" / "demo" / "healthy", ROOT / "benchmarks" / "mnist"
BUDGET_MINUTES = 120  # no machine on which this is worth running comes near it
REPEATS = 3
BLOCK_UPDATES = 250  # of the bare loop
BLOCKS = 3  # before and after each diagnosis
ON_GOAL, ALONE_GOAL = "<= 0.5", "<= 1.1"
ON, ALONE = "everything on", "one core, unstacked"


def digits_demo(folder: Path) -> Path:
    """Write the bundled example, with the budget."""
    for file in DEMO.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    spec = folder / "diagnose.yaml"
    more = f"\ndevice: cpu\nbudget: {{minutes: {BUDGET_MINUTES}}}\n"
    spec.write_text(spec.read_text(encoding="utf-8") + more, encoding="utf-8")
    return spec


def mnist_cnn(folder: Path, *, data: Path) -> Path:
    """Write the healthy case of `benchmarks/mnist_faults.py`."""
    shutil.copy(MNIST / "mnist_cnn.py", folder)
    spec = {
        "name": "mnist cnn",
        "model": "mnist_cnn:MnistCnn",
        "data": {"factory": "mnist_cnn:build_data", "args": {"folder": str(data)}, "batch_size": 64},
        "loss": "cross_entropy",
        "optimizer": {"name": "adam", "lr": HEALTHY_LR},
        "scheduler": {"name": "cosine"},
        "epochs": 6,
        "device": "cpu",
        "budget": {"minutes": BUDGET_MINUTES},
    }
    file = folder / "diagnose.yaml"
    file.write_text(json.dumps(spec), encoding="utf-8")  # JSON is YAML
    return file


def diagnose(spec: Path, *, unstacked: bool) -> tuple[Recorded, float]:
    """Diagnose once, in a program of its own; also give the processor time of all its processes."""
    out = spec.parent / "recorded.json"
    before = _processor_seconds()
    more = ["--unstacked"] if unstacked else []
    command = [sys.executable, "-m", "benchmarks.recorded", str(spec), str(out), "--since", str(time.monotonic())]
    subprocess.run([*command, *more], check=True, stdout=sys.stderr)
    worked = _processor_seconds() - before
    return Recorded.model_validate_json(out.read_text(encoding="utf-8")), worked


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(name: str, spec_file: Path, *, repeats: int) -> dict[str, Any]:
    """Diagnose both ways, with bare blocks before, between and after."""
    spec, source = read_spec(spec_file)
    bare = bare_cost.of_spec(spec, folder=Path(source.folder))
    labels = bare.rows[1]
    kinds = {
        Kind(rows=rows, batch=spec.data.batch_size) for rows in (len(labels), PER_CLASS * len(labels.unique()))
    }  # what most trials will be; the others are known after the first diagnosis

    def blocks() -> dict[Kind, list[Cost]]:
        return {
            kind: [bare.cost(rows=kind.rows, batch=kind.batch, updates=BLOCK_UPDATES) for _ in range(BLOCKS)]
            for kind in sorted(kinds)
        }

    found: dict[str, list[dict[str, Any]]] = {ON: [], ALONE: []}
    for repeat in range(repeats):
        before = blocks()
        for way in (ON, ALONE):
            recorded, worked = diagnose(spec_file, unstacked=way == ALONE)
            kinds |= set(in_full.together(in_full.in_full(recorded.stages, spec)))
            after = blocks()
            around = {kind: [*before.get(kind, []), *after[kind]] for kind in kinds}
            found[way].append(run(recorded, around, worked=worked))
            before = after
            say(f"  {name}, {way}, {repeat + 1} of {repeats}: {recorded.seconds:.1f} s")
    return {
        "workload": name,
        ON: middle(found[ON], by="over_planned"),
        ALONE: middle(found[ALONE], by="over_taken"),
    }


def run(recorded: Recorded, around: Mapping[Kind, Sequence[Cost]], *, worked: float) -> dict[str, Any]:
    """Account for one diagnosis, by the clock and by the processor, with the bare blocks round it."""
    wall = {kind: statistics.median(one.wall for one in costs) for kind, costs in around.items()}
    processor = {kind: statistics.median(one.processor for one in costs) for kind, costs in around.items()}
    taken = in_full.taken(recorded.stages, recorded.evidence.spec)
    return {
        **accounts.account(recorded, wall),
        "processor_seconds": worked,
        "processor_over_taken": worked / in_full.seconds(taken, processor),
    }


def middle(runs: Sequence[dict[str, Any]], *, by: str) -> dict[str, Any]:
    """Take the run whose ratio is in the middle, with the ratios of all beside it."""
    ranked = sorted(runs, key=lambda one: float(one[by]))
    return {**ranked[(len(ranked) - 1) // 2], "all": [one[by] for one in runs]}


def lines(row: Mapping[str, Any], *, has_goals: bool) -> list[Line]:
    """Say for the common table what the goals are about."""

    def line(way: str, rival: str, which: str, goal: str | None) -> Line:
        one = row[way]
        words = [one["verdict"], *(f"CUT: {words}" for words in one["cut"])]
        if which == "taken":
            words.append(f"by processor time {number(one['processor_over_taken'])}")
        return Line(
            name=f"standard diagnosis, {way}",
            workload=row["workload"],
            unit="s",
            ours=one["seconds"],
            rival=one[f"bare_seconds_{which}"],
            rival_name=f"bare, {rival}",
            ratio=one[f"over_{which}"],
            goal=goal if has_goals else None,
            note="; ".join(words),
        )

    return [
        line(ON, "its plan with nothing saved", "planned", ON_GOAL),
        line(ON, "the steps it took", "taken", None),
        line(ALONE, "the steps it took", "taken", ALONE_GOAL),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    parser.add_argument("--breakdown", action="store_true", help="print where the time of each step went")
    asked = parser.parse_args(arguments)
    data = None if asked.data is None else asked.data.resolve()
    cases: dict[str, Callable[[Path], Path]] = {"digits demo": digits_demo}
    skipped = []
    if not asked.quick and data is not None:
        cases["mnist cnn"] = lambda folder: mnist_cnn(folder, data=data)
    elif not asked.quick:
        skipped = [reporting.NO_MNIST]
    rows = []
    with ExitStack() as stack:
        for name, write in cases.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="diagnosed-")))
            rows.append(measure(name, write(folder), repeats=reporting.repeats_of(asked)))
    table = [line for row in rows for line in lines(row, has_goals=row["workload"].startswith("mnist"))]
    found = reporting.document("diagnosis", rows=rows, table=table, skipped=skipped)
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    reporting.print_lines(table)
    for row in rows if asked.breakdown else ():
        for way in (ON, ALONE):
            accounts.show(row["workload"], way, row[way])
    print("\n".join(["", *skipped]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
