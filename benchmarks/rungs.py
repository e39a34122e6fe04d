"""What would shorter rungs cost a search by halving? Regret of several policies, from the curves of the same 16 trials.

    python benchmarks/rungs.py [--quick] [--json] [--repeats N] [--data FOLDER] [--only NAME]

Each of 16 trials is trained in full and evaluated on its way; without a schedule the first part of a run is the shorter
run, so one set of curves tells what every policy would have chosen. Regret: points of validation accuracy below the
best of the grid. Each repeat is another seed. Losses and choices do not depend on how busy the machine is.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks import reporting
from benchmarks.bare import updates_of
from benchmarks.ours import PROJECT, spec_of, trials_of
from benchmarks.reporting import Line, number, say
from benchmarks.rivals.job import Job
from benchmarks.search import EPOCHS
from benchmarks.workloads import WORKLOADS
from diagnoser.protocol.coarse_search import ETA, FIRST_RUNG
from diagnoser.training.stacked.running import run_trials
from diagnoser.training.workload import load
from diagnoser.trials import TrialResult

REPEATS = 6  # seeds
POINTS = 16  # evaluations on the way: the shortest rung is one of them
OURS = "ours"
Policy = tuple[tuple[float, int], ...]
"""Rungs: share of the whole length, and the divisor of those that are trained there which go on."""
POLICIES: Mapping[str, Policy] = {
    OURS: ((FIRST_RUNG, ETA), (1.0, 1)),
    "1/8, then 4 in full": ((1 / 8, 4), (1.0, 1)),
    "1/4, then 4 for 1/2, then 1": ((1 / 4, 4), (1 / 2, 4), (1.0, 1)),
    "1/8, then 4 for 1/2, then 1": ((1 / 8, 4), (1 / 2, 4), (1.0, 1)),
    "1/16, then 4 for 1/4, then 1": ((1 / 16, 4), (1 / 4, 4), (1.0, 1)),
}

Curve = tuple[tuple[float, float], ...]
"""Validation accuracy and loss at each of the points; shorter for a run that diverged."""


@dataclass(frozen=True)
class Outcome:
    """What a policy chose on one set of curves."""

    trained: float  # in whole trials
    regret: float  # points


def follow(policy: Policy, curves: Sequence[Curve]) -> Outcome:
    """Walk the rungs of a policy: each is trained from the beginning, as the product does."""
    alive, trained = list(range(len(curves))), 0.0
    for share, divisor in policy:
        at = max(1, round(share * POINTS)) - 1
        trained += share * len(alive)
        ranked = sorted(alive, key=lambda index: _badness(curves[index], at))
        alive = ranked[: max(1, len(ranked) // divisor)]
    return Outcome(trained, 100 * (max(map(_end, curves)) - max(_end(curves[index]) for index in alive)))


def curves_of(job: Job, *, seed: int) -> tuple[Curve, ...]:
    """Train every trial of a search in this process."""
    spec = spec_of(job.workload, epochs=job.epochs, device=job.device, data_folder=job.data_folder)
    whole = trials_of(job, seed=seed, updates=updates_of(job.read(), epochs=job.epochs))
    trials = [trial.model_copy(update={"evaluations": POINTS}) for trial in whole]
    results: dict[int, TrialResult] = {}
    run_trials(load(spec, folder=PROJECT), trials, on_result=results.__setitem__)
    return tuple(_curve(results[index]) for index in range(len(trials)))


def _curve(result: TrialResult) -> Curve:
    known = ((point.validation_metric, point.validation_loss) for point in result.evaluations)
    return tuple((metric, loss) for metric, loss in known if metric is not None and loss is not None)


def _end(curve: Curve) -> float:
    return curve[-1][0] if len(curve) == POINTS else 0.0


def _badness(curve: Curve, at: int) -> tuple[float, float]:
    return (-curve[at][0], curve[at][1]) if at < len(curve) else (0.0, math.inf)


def measure(name: str, *, seeds: int, data: str | None) -> list[dict[str, Any]]:
    """Hold every policy against the same curves."""
    sets = []
    for seed in range(seeds):
        sets.append(curves_of(Job(workload=WORKLOADS[name], epochs=EPOCHS, data_folder=data), seed=seed))
        say(f"  {name}, seed {seed}")
    rows = []
    for policy, rungs in POLICIES.items():
        outcomes = [follow(rungs, curves) for curves in sets]
        regrets = [one.regret for one in outcomes]
        rows.append(
            {"workload": name, "policy": policy, "trained": outcomes[0].trained, "seeds": seeds,
             "regret": fmean(regrets), "worst": max(regrets)}
        )  # fmt: skip
    return rows


def lines(rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    """One line per policy: the mean over the workloads' means, and the worst workload's."""
    found = []
    for policy in POLICIES:
        own = [row for row in rows if row["policy"] == policy]
        regret, worst = fmean(row["regret"] for row in own), max(own, key=lambda row: row["regret"])
        note = f"{own[0]['trained']:g} whole trials of {POINTS}; worst on {worst['workload']}: {worst['regret']:.1f}"
        found.append(
            Line(name=f"regret of halving, {policy}", workload=f"{len(own)} workloads", unit="points", ours=regret,
                 rival=None, rival_name="", ratio=None, note=note)
        )  # fmt: skip
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    parser.add_argument("--only", action="append", metavar="NAME", help=f"one of: {', '.join(WORKLOADS)}")
    asked = parser.parse_args(arguments)
    data = str(asked.data) if asked.data else None
    names = [name for name in asked.only or WORKLOADS if asked.only or data or name.startswith("digits")]
    rows = [row for name in names for row in measure(name, seeds=reporting.repeats_of(asked), data=data)]
    table = lines(rows)
    skipped = [] if data else [reporting.NO_MNIST]
    found = reporting.document("rungs", rows=rows, table=table, skipped=skipped)
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    for row in rows:
        regret = f"regret {number(row['regret'])}, worst {number(row['worst'])} points"
        print(f"{row['workload']}, {row['policy']}: {regret}")
    reporting.print_lines(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
