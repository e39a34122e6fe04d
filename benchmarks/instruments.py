"""What do instruments cost? A training loop with them over the same loop without: ours, and Cockpit's two presets.

    python benchmarks/instruments.py [--quick] [--json] [--repeats N]

Blocks with and without alternate, so that a busy machine slows both; the median of the ratios of neighbouring blocks
counts. Ours follow a schedule of their own (gradient norm, weight norms, update ratios, dead and saturated units, per
layer); Cockpit is told to look at every step and at every tenth. Instruments differ in what they measure: Cockpit also
looks at the gradient of each row, and with `full` at the Hessian, which nobody has for 5 %.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch

from benchmarks import reporting
from benchmarks.loaded import loaded
from benchmarks.reporting import Line, number
from benchmarks.rivals import cockpit
from benchmarks.workloads import WORKLOADS, Rows, Workload, digits
from diagnoser.training.loop import run_trial
from diagnoser.trials import Trial

UPDATES = 300  # of ours: a run of thirteen epochs
COCKPIT_UPDATES = 20  # a step with Cockpit costs up to a second; the loop without it is timed over UPDATES
WARM_UPDATES = 30
REPEATS, QUICK_REPEATS = 15, 5  # pairs of blocks: a ratio of 1.05 is told from 1.00 only by many
RIVAL_SHARE = 5  # of them one pair for a rival, whose ratios are in the tens
GOAL = 1.05
PACKAGES = ("cockpit-for-pytorch", "backpack-for-pytorch")

Block = tuple[float, float]
"""Seconds an update by the clock on the wall, and of the processor."""
Loops = tuple[Callable[[], Block], Callable[[], Block]]
"""Train one block with the instruments; and without."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender on one workload."""

    workload: str
    contender: str
    every: int | None  # steps; None: a schedule of its own
    with_ms: float | None = None  # an update
    without_ms: float | None = None
    ratio: float | None = None  # median of the paired ratios
    cpu_ratio: float | None = None  # the same of processor time, which other work on the machine disturbs less
    note: str = ""


def ours(workload: Workload, rows: Rows) -> Loops:
    """Our loop with and without instruments, on data in memory; no evaluation in either."""
    own = loaded(workload, (rows, rows), optimizer={"name": "sgd", "lr": cockpit.LR})
    plain = Trial(seed=0, updates=UPDATES, evaluations=0)
    watched = plain.model_copy(update={"instruments": True})
    run_trial(own, watched.model_copy(update={"updates": WARM_UPDATES}))

    def block(trial: Trial) -> Block:
        start = time.process_time()
        seconds = run_trial(own, trial).seconds  # of training alone; the processor's has the building of the model
        return seconds / UPDATES, (time.process_time() - start) / UPDATES

    return partial(block, watched), partial(block, plain)


def cockpits(workload: Workload, rows: Rows, *, label: str, every: int) -> Loops:
    """The bare loop with Cockpit and without."""
    cockpit.seconds_with(workload.build, rows, updates=2, label=label, every=every)

    def block(train: Callable[[], float], *, updates: int) -> Block:
        start = time.process_time()
        seconds = train()
        return seconds / updates, (time.process_time() - start) / updates

    tracked = partial(cockpit.seconds_with, workload.build, rows, updates=COCKPIT_UPDATES, label=label, every=every)
    bare = partial(cockpit.seconds_without, workload.build, rows, updates=UPDATES)
    return partial(block, tracked, updates=COCKPIT_UPDATES), partial(block, bare, updates=UPDATES)


def measure(workload: Workload, *, repeats: int, rival_repeats: int) -> list[Row]:
    """One row for ours and four for Cockpit."""
    rows, _ = digits()
    found = [_row(workload, "ours", None, partial(ours, workload, rows), repeats=repeats)]
    missing = cockpit.missing()
    for label in cockpit.LABELS:
        name = f"Cockpit {label}"
        for every in (1, 10):
            if missing is not None:
                found.append(Row(workload=workload.name, contender=name, every=every, note=missing))
                continue
            try:
                prepared = partial(cockpits, workload, rows, label=label, every=every)
                row = _row(workload, name, every, prepared, repeats=rival_repeats)
            except Exception as error:  # noqa: BLE001 (a rival that does not work here is a result)
                why = f"failed: {type(error).__name__}: {error}"[:120]
                row = Row(workload=workload.name, contender=name, every=every, note=why)
            found.append(row)
    return found


def _row(workload: Workload, contender: str, every: int | None, prepared: Callable[[], Loops], *, repeats: int) -> Row:
    with_instruments, without = prepared()
    pairs: list[tuple[Block, Block]] = []
    for repeat in range(repeats):
        if repeat % 2:  # neither is always the second
            bare = without()
            pairs.append((with_instruments(), bare))
        else:
            pairs.append((with_instruments(), without()))
    reporting.say(f"  {workload.name}, {contender}, every {every or 'as it likes'}: {1e3 * pairs[-1][0][0]:.2f} ms")
    return Row(
        workload=workload.name,
        contender=contender,
        every=every,
        with_ms=1e3 * statistics.median(tracked for (tracked, _), _ in pairs),
        without_ms=1e3 * statistics.median(bare for _, (bare, _) in pairs),
        ratio=statistics.median(tracked / bare for (tracked, _), (bare, _) in pairs),
        cpu_ratio=statistics.median(tracked / bare for (_, tracked), (_, bare) in pairs),
    )


def lines(rows: Sequence[Row]) -> list[Line]:
    """Ours against its own loop without, and each of Cockpit's beside ours."""
    own = {row.workload: row for row in rows if row.contender == "ours"}
    found = [
        Line(
            name="instruments on", workload=row.workload, unit="ms an update", ours=row.with_ms, rival=row.without_ms,
            rival_name="our loop without", ratio=row.ratio, goal=f"<= {GOAL}",
            note=f"processor time {number(row.cpu_ratio)}",
        )
        for row in own.values()
    ]  # fmt: skip
    for row in rows:
        if row.contender != "ours":
            mine = own[row.workload].ratio
            found.append(
                Line(
                    name="instruments, cost over a loop without",
                    workload=row.workload,
                    unit="x",
                    ours=mine,
                    rival=row.ratio,
                    rival_name=f"{row.contender}, every {row.every}",
                    ratio=mine / row.ratio if mine is not None and row.ratio is not None else None,
                    note=row.note
                    or f"processor time {number(own[row.workload].cpu_ratio)} and {number(row.cpu_ratio)}",
                )
            )
    return found


def show(rows: Sequence[Row]) -> None:
    """Print one line per contender and workload."""
    reporting.print_columns(
        ("workload", "contender", "looks every", "ms with", "ms without", "with / without", "processor time"),
        [
            (
                row.workload, row.contender, "own schedule" if row.every is None else str(row.every),
                number(row.with_ms), number(row.without_ms),
                f"{row.ratio:.3f}" if row.ratio is not None else row.note,
                f"{row.cpu_ratio:.3f}" if row.cpu_ratio is not None else "-",
            )
            for row in rows
        ],
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    repeats = QUICK_REPEATS if asked.quick and not asked.repeats else reporting.repeats_of(asked)
    rows: list[Row] = []
    for workload in WORKLOADS.values():
        if workload.data == "digits":
            rows += measure(workload, repeats=repeats, rival_repeats=max(1, repeats // RIVAL_SHARE))
    found = reporting.document("instruments", rows=[asdict(row) for row in rows], table=lines(rows), packages=PACKAGES)
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
