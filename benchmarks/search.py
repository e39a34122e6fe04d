"""Is our search of 16 trials faster than anyone else's? Prints seconds, ratios and accuracies, all from one run.

    python benchmarks/search.py [--quick] [--json] [--repeats N] [--data FOLDER] [--device cpu] [--only NAME]

16 trials of (lr, weight decay), two epochs each, on digits and on 10,000 MNIST digits. Ours (the product's executor:
the full grid, and halving by its policy) beside the bare loop one trial after the other, Optuna with the same loop,
Ray Tune, and two processes of one thread. Everyone has two cores and is warm before the clock starts; `cold` is our
grid with the start of the children. Each repeat is another seed, and contenders take turns, so that a busy machine
slows all.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from functools import partial
from typing import Any

from benchmarks import ours, reporting
from benchmarks.bare import updates_of
from benchmarks.reporting import Line, number, say
from benchmarks.rivals import optuna_grid, ray_tune, sequential, two_processes
from benchmarks.rivals.job import Block, Job, Opener, Search
from benchmarks.workloads import WORKLOADS

EPOCHS = 2
REPEATS = 3
GRID, HALVING, BARE = "ours", "ours halving", "sequential"
OURS: dict[str, Opener] = {GRID: ours.opened, HALVING: partial(ours.opened, halving=True)}
RIVALS: dict[str, Opener] = {
    BARE: partial(sequential.opened, threads=1),
    "sequential 2 threads": partial(sequential.opened, threads=2),
    "optuna 1 job": partial(optuna_grid.opened, jobs=1),
    "optuna 2 jobs": partial(optuna_grid.opened, jobs=2),
    "two processes": two_processes.opened,
    "ray tune": ray_tune.opened,
}
SMALL_MS = 3.0  # a bare update: below it the step is bound by overhead (research: stacking pays)
GRID_GOAL, HALVING_GOAL, GPU_GOAL, RIVAL_GOAL = ">= 2.5", ">= 6", ">= 8", ">= 1"


def measure(
    job: Job, *, repeats: int, contenders: Mapping[str, Opener], cold: Callable[[Job], float]
) -> dict[str, Any]:
    """Let everyone search in turn, and compare medians."""
    blocks: dict[str, list[Block]] = {name: [] for name in contenders}
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        searches: dict[str, Search] = {}
        for name, opener in contenders.items():
            try:
                searches[name] = stack.enter_context(opener(job))
            except Exception as error:  # noqa: BLE001 (a rival that fails is a cell, and no crash)
                failed[name] = _excuse(name, error)
        for repeat in range(repeats):
            for name in _rotated(list(searches), by=repeat):
                if name in failed:
                    continue
                try:
                    blocks[name].append(searches[name](repeat))
                except Exception as error:  # noqa: BLE001
                    failed[name] = _excuse(name, error)
                else:
                    last = blocks[name][-1]
                    say(f"  {job.workload.name}, {name}: {last.seconds:.2f} s, best accuracy {last.best:.3f}")
    done = {name: found for name, found in blocks.items() if name not in failed}
    return row(job, done, failed=failed, cold=cold(job))


def row(job: Job, blocks: Mapping[str, Sequence[Block]], *, failed: Mapping[str, str], cold: float) -> dict[str, Any]:
    """Compare: ratios are speeds, so larger is better."""
    seconds = {name: statistics.median(block.seconds for block in found) for name, found in blocks.items()}
    rivals = {name: value for name, value in seconds.items() if name in RIVALS}
    best_rival = min(rivals, key=lambda name: rivals[name])
    updates = updates_of(job.read(), epochs=job.epochs)
    regrets = [100 * (full.best - half.best) for full, half in zip(blocks[GRID], blocks[HALVING], strict=True)]
    return {
        "workload": job.workload.name,
        "device": job.device,
        "trials": len(job.candidates),
        "epochs": job.epochs,
        "updates": updates,
        "bare_ms_per_update": 1e3 * min(one.seconds for one in blocks[BARE]) / (updates * len(job.candidates)),
        "ours_over_sequential": seconds[BARE] / seconds[GRID],
        "ours_over_best_rival": rivals[best_rival] / seconds[GRID],
        "best_rival": best_rival,
        "halving_over_sequential": seconds[BARE] / seconds[HALVING],
        "halving_regret_points": statistics.mean(regrets),
        "halving_worst_regret_points": max(regrets),
        "seconds": seconds,
        "all_seconds": {name: [block.seconds for block in found] for name, found in blocks.items()},
        "cold_seconds": cold,
        "best_accuracy": {name: statistics.mean(block.best for block in found) for name, found in blocks.items()},
        "best_trial": {name: job.candidates[_winner(found[0])] for name, found in blocks.items()},
        "updates_trained": blocks[GRID][-1].updates,
        "how": blocks[GRID][-1].how,
        "failed": dict(failed),
    }


def lines(found: Mapping[str, Any]) -> list[Line]:
    """Say for the common table what the goals are about."""
    seconds, workload, gpu = found["seconds"], found["workload"], found["device"] != "cpu"
    small = found["bare_ms_per_update"] < SMALL_MS
    grid_goal = GPU_GOAL if gpu else GRID_GOAL if small else None
    halving_goal = HALVING_GOAL if small and not gpu else None
    regret = f"regret {found['halving_regret_points']:.1f} points"
    best = found["best_rival"]
    grid = partial(Line, name="search of 16, full grid", workload=workload, unit="s", ours=seconds[GRID])
    halving = partial(Line, name="search of 16, halving", workload=workload, unit="s", ours=seconds[HALVING])
    bare = {"rival": seconds[BARE], "rival_name": BARE}
    return [
        grid(**bare, ratio=found["ours_over_sequential"], goal=grid_goal),
        grid(rival=seconds[best], rival_name=f"{best} (best)", ratio=found["ours_over_best_rival"], goal=RIVAL_GOAL),
        halving(**bare, ratio=found["halving_over_sequential"], goal=halving_goal, note=regret),
    ]


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print seconds, ratios and accuracies, one row per workload."""
    names = [*OURS, *RIVALS]

    def cells(found: Mapping[str, Any], values: Mapping[str, float]) -> list[str]:
        return [number(values[name]) if name in values else found["failed"].get(name, "-") for name in names]

    print("\nSeconds of one search (median)")
    reporting.print_columns(
        ["workload", *names, "ours cold"],
        [[one["workload"], *cells(one, one["seconds"]), number(one["cold_seconds"])] for one in rows],
    )
    print("\nTimes as fast as the sequential bare loop")
    reporting.print_columns(
        ["workload", *names, "ours / best rival"],
        [
            [
                one["workload"],
                *cells(one, {name: one["seconds"][BARE] / value for name, value in one["seconds"].items()}),
                number(one["ours_over_best_rival"]),
            ]
            for one in rows
        ],
    )
    print("\nBest validation accuracy found (mean over repeats), and what halving missed of the full grid's")
    reporting.print_columns(
        ["workload", *names, "regret, points (worst)"],
        [
            [
                one["workload"],
                *cells(one, one["best_accuracy"]),
                f"{one['halving_regret_points']:.1f} ({one['halving_worst_regret_points']:.1f})",
            ]
            for one in rows
        ],
    )
    print()
    for one in rows:
        print(f"{one['workload']}: {one['how']}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", choices=WORKLOADS, help="one workload")
    parser.add_argument("--without", action="append", default=[], choices=RIVALS.keys() - {BARE}, help="leave one out")
    asked = parser.parse_args(arguments)
    folder = None if asked.data is None else str(asked.data.resolve())
    skipped = []
    rows = []
    chosen = {name: opener for name, opener in {**OURS, **RIVALS}.items() if name not in asked.without}
    for workload in _workloads(asked):
        if workload.data == "mnist" and folder is None:
            skipped = [reporting.NO_MNIST]
            continue
        job = Job(workload=workload, epochs=EPOCHS, device=asked.device, data_folder=folder)
        with redirect_stdout(sys.stderr):  # rivals talk, and stdout is for the result
            rows.append(measure(job, repeats=reporting.repeats_of(asked), contenders=chosen, cold=ours.cold_seconds))
    failures = {f"{name}: {why}" for one in rows for name, why in one["failed"].items()}
    table = [line for one in rows for line in lines(one)]
    found = reporting.document(
        "search", rows=rows, table=table, skipped=[*skipped, *sorted(failures)], packages=("optuna", "ray")
    )
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    show(rows)
    print("\n".join(["", *found["skipped"]]))
    return 0


def _workloads(asked: argparse.Namespace) -> list[Any]:
    names = [asked.only] if asked.only else list(WORKLOADS)
    return [WORKLOADS[name] for name in names if asked.only or not asked.quick or WORKLOADS[name].data == "digits"]


def _rotated(names: list[str], *, by: int) -> list[str]:
    cut = by % len(names)
    return names[cut:] + names[:cut]


def _winner(block: Block) -> int:
    return max(range(len(block.accuracies)), key=lambda index: block.accuracies[index] or 0.0)


def _excuse(name: str, error: Exception) -> str:
    """Say why a rival has no row; without ours or the bare loop there is no benchmark."""
    if name in OURS or name == BARE:
        raise error
    if isinstance(error, ImportError):
        return "not installed"
    return f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:80]}"


if __name__ == "__main__":
    sys.exit(main())
