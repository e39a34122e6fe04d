"""What does our training loop cost beside a bare one, with instruments off and on, and what lies round a short trial?

    python benchmarks/loop_overhead.py [--quick] [--json] [--repeats N] [--updates N]

Bare: the loop that a user would write (a DataLoader with 0 workers, torch's default optimizer, one thread). Ours:
`run_trial` on the same model, data and number of updates, evaluations off. Short blocks of all three alternate, in
another order each time, so that a busy machine slows all of them; the median of the ratios within a round counts.

*Round a trial* is what a trial of the learning-rate scan (100 updates, one evaluation) takes beside its training:
building, the loss at the start, the evaluation, the result.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import reporting
from benchmarks.loaded import loaded
from benchmarks.reporting import Line, say
from benchmarks.workloads import BATCH, WORKLOADS, Split, Workload, digits
from diagnoser.records import JsonValue
from diagnoser.training.loop import run_trial
from diagnoser.trials import Trial

LR = 1e-3
UPDATES = 300
REPEATS, QUICK_REPEATS = 15, 3  # rounds; below 1.05, single ones differ more from each other than from the goal
WARM_UPDATES = 20
SCAN_UPDATES = 100
OFF_GOAL, ON_GOAL = "<= 1.0", "<= 1.05"

Blocks = Mapping[str, Callable[[], float]]
"""Seconds of each contender's block."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One workload."""

    workload: str
    bare_ms_per_update: float
    ours_over_bare: float
    instruments_over_bare: float
    instruments_over_ours: float
    round_a_trial_ms: float
    round_a_trial_share: float  # of its wall time


def bare(workload: Workload, rows: Split, updates: int) -> float:
    """Seconds of the loop that a user would write."""
    torch.manual_seed(0)
    model = workload.build()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    loader = DataLoader(TensorDataset(*rows[0]), batch_size=BATCH, shuffle=True)
    losses: list[float] = []
    start = time.perf_counter()
    while len(losses) < updates:
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == updates:
                break
    return time.perf_counter() - start


def blocks(workload: Workload, rows: Split, *, updates: int) -> tuple[Blocks, Callable[[], tuple[float, float]]]:
    """Give the contenders, and a trial of the scan: its wall time and its training."""
    ours = loaded(workload, rows, optimizer={"name": "adam", "lr": LR})
    plain = Trial(seed=0, updates=updates, evaluations=0)
    watched = plain.model_copy(update={"instruments": True})
    changes: dict[str, JsonValue] = {"optimizer.lr": LR, "optimizer.weight_decay": 1e-4}
    scanned = Trial(seed=0, changes=changes, updates=SCAN_UPDATES, evaluations=1)

    def scan() -> tuple[float, float]:
        start = time.perf_counter()
        training = run_trial(ours, scanned).seconds
        return time.perf_counter() - start, training

    bare(workload, rows, WARM_UPDATES)
    run_trial(ours, watched.model_copy(update={"updates": WARM_UPDATES}))
    scan()
    contenders = {
        "bare": lambda: bare(workload, rows, updates),
        "ours": lambda: run_trial(ours, plain).seconds,
        "instruments": lambda: run_trial(ours, watched).seconds,
    }
    return contenders, scan


def measure(workload: Workload, *, updates: int, repeats: int) -> Row:
    """Let the contenders take turns."""
    contenders, scan = blocks(workload, digits(), updates=updates)
    rounds: list[dict[str, float]] = []
    scans: list[tuple[float, float]] = []
    for number in range(repeats):
        names = sorted(contenders, key=lambda name: (list(contenders).index(name) + number) % len(contenders))
        rounds.append({name: contenders[name]() for name in names})
        scans.append(scan())
    say(f"  {workload.name}: {1e3 * rounds[-1]['ours'] / updates:.2f} ms an update")

    def ratio(one: str, other: str) -> float:
        return statistics.median(seconds[one] / seconds[other] for seconds in rounds)

    return Row(
        workload=workload.name,
        bare_ms_per_update=1e3 * statistics.median(seconds["bare"] for seconds in rounds) / updates,
        ours_over_bare=ratio("ours", "bare"),
        instruments_over_bare=ratio("instruments", "bare"),
        instruments_over_ours=ratio("instruments", "ours"),
        round_a_trial_ms=1e3 * statistics.median(wall - training for wall, training in scans),
        round_a_trial_share=statistics.median((wall - training) / wall for wall, training in scans),
    )


def lines(rows: Sequence[Row]) -> list[Line]:
    """Ours off over bare, on over off."""
    found: list[Line] = []
    for row in rows:
        ours = row.bare_ms_per_update * row.ours_over_bare
        found += [
            Line(
                name="training loop, instruments off", workload=row.workload, unit="ms an update", ours=ours,
                rival=row.bare_ms_per_update, rival_name="bare loop", ratio=row.ours_over_bare, goal=OFF_GOAL,
            ),
            Line(
                name="training loop, instruments on", workload=row.workload, unit="ms an update",
                ours=ours * row.instruments_over_ours, rival=ours, rival_name="our loop without",
                ratio=row.instruments_over_ours, goal=ON_GOAL,
            ),
        ]  # fmt: skip
    return found


def show(rows: Sequence[Row]) -> None:
    """Print one line per workload."""
    reporting.print_columns(
        ("workload", "bare, ms an update", "ours / bare", "on / bare", "on / off", "round a trial, ms", "share"),
        [
            (
                row.workload, f"{row.bare_ms_per_update:.3f}", f"{row.ours_over_bare:.2f}",
                f"{row.instruments_over_bare:.2f}", f"{row.instruments_over_ours:.3f}",
                f"{row.round_a_trial_ms:.1f}", f"{row.round_a_trial_share:.0%}",
            )
            for row in rows
        ],
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    parser.add_argument("--updates", type=int, default=UPDATES, help=f"of a block (default {UPDATES})")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    repeats = QUICK_REPEATS if asked.quick and not asked.repeats else reporting.repeats_of(asked)
    kinds = [workload for workload in WORKLOADS.values() if workload.data == "digits"]
    rows = [measure(workload, updates=asked.updates, repeats=repeats) for workload in kinds]
    found = reporting.document("loop_overhead", rows=[asdict(row) for row in rows], table=lines(rows))
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
