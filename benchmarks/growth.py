"""How does the cost of a search grow with its trials, with the workers, and with the parameters of the model?

    python benchmarks/growth.py [--quick] [--json] [--repeats N] [--plot FILE] [--from JSON]

* *Trials*: 1 to 32 trials of 150 updates, with 1 and 2 processes, stacked and one by one, beside the bare loop.
* *Workers*: 32 trials, with 1 process to as many as there are cores.
* *Parameters*: perceptrons of 1,000 to 10 million parameters: an update of one trial in the bare loop, in ours, and in
  a stack of eight that is trained whether it pays or not. In the searches above the product decides.

One thread a process. The children are started before the clock, as a diagnosis has them; the first search of each size
also pays for the product's decision whether to stack. Contenders take turns, so that a busy machine slows all; medians
count. `--plot` draws the pictures of docs/benchmarks.md, `--from` draws them again from what `--json` printed.
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import bare_cost, grown, ours, plots, reporting, stack_cost
from benchmarks.bare import optimizer_of
from benchmarks.bare_cost import Bare
from benchmarks.grown import Row
from benchmarks.reporting import Line, say
from benchmarks.stack_cost import AT_ONCE, WIDE
from benchmarks.workloads import BATCH, WORKLOADS, Workload
from diagnoser.sandbox.limits import Machine, this_machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.trials import Outcome, Trial, TrialResult

UPDATES = 150
REPEATS = 3
RATES = 4  # learning rates of a search
TRIALS = (1, 2, 4, 8, 16, 32)
PARAMETERS = (1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7)
SEARCHED = ("digits mlp", "digits cnn")
QUICK_TRIALS, QUICK_PARAMETERS = (1, 4, 16), (1e3, 3e4, 1e6)
MOST_WORKERS = 8  # counted one by one; beyond, in powers of two
ENOUGH_UPDATES = (10, 100)  # of a block of the parameters' part: fewer for the widest
BLOCK_PARAMETERS = 3e7  # updates times parameters of a block
LONGEST = 3600.0  # seconds for one search: a deadline that no machine meets by chance


def workers(cores: int) -> tuple[int, ...]:
    """1, 2, 3, ... up to the cores; on a large machine 1 to 8, 16, 32, ... and all."""
    powers = (2**exponent for exponent in range(4, cores.bit_length()))
    return tuple(sorted({*range(1, min(cores, MOST_WORKERS) + 1), *powers, cores}))


def width_for(parameters: float) -> int:
    """Solve width² + 76 width + 10 = parameters."""
    return max(1, round(math.sqrt(38**2 + parameters - 10) - 38))


def parameters_of(width: int) -> int:
    """Count the parameters of the wide perceptron."""
    return width**2 + 76 * width + 10


def search(executor: LocalExecutor, trials: Sequence[Trial]) -> float:
    """Time one search. A trial that does not run to its end would make it look fast."""
    start = time.perf_counter()
    results = executor.run(trials, deadline=time.monotonic() + LONGEST, on_result=lambda _index, _result: None)
    seconds = time.perf_counter() - start
    for trial, result in zip(trials, results, strict=True):
        if not isinstance(result, TrialResult) or result.outcome is not Outcome.COMPLETED:
            raise RuntimeError(f"a trial ended as {result.outcome}: {result.error}")
        if result.updates != trial.updates:
            raise RuntimeError(f"a trial took {result.updates} updates instead of {trial.updates}")
    return seconds


def trials_of(workload: Workload, *, count: int, updates: int) -> tuple[Trial, ...]:
    """Give trials that differ in seed and learning rate, evaluated once, at their end; the rates diverge nowhere."""
    plain = Trial(seed=0, updates=updates, evaluations=1)
    rates = [workload.lrs[0] * 2 ** (step / RATES) for step in range(RATES)]
    return tuple(
        plain.model_copy(update={"seed": n, "changes": {"optimizer.lr": rates[n % RATES]}}) for n in range(count)
    )


def searches(workload: Workload, *, counts: Sequence[int], processes: Sequence[int], repeats: int) -> list[Row]:
    """Time searches of every size with 1 and 2 processes, and the largest with every number of workers."""
    spec = ours.spec_of(workload, epochs=1)
    (rows, _), memory = workload.read(None), this_machine().memory
    bare = Bare(
        build=workload.build,
        rows=rows,
        optimizer=lambda model: optimizer_of(workload, model, lr=workload.lrs[0], weight_decay=0.0),
    )
    found: dict[tuple[int, bool, int], list[float]] = {}
    bare_costs: dict[int, list[float]] = {}
    with ExitStack() as stack:
        executors = {}
        for count in processes:
            for stacking in (False, True):
                machine = Machine(cores=count, memory=memory)
                executor = stack.enter_context(
                    LocalExecutor(spec, folder=ours.PROJECT, cache=None, machine=machine, stacking=stacking)
                )
                executor.open()
                search(executor, trials_of(workload, count=4 * count, updates=1))
                executors[count, stacking] = executor
        for repeat in range(repeats):
            for size in counts:
                cost = bare.cost(rows=len(rows[1]), batch=BATCH, updates=UPDATES)
                bare_costs.setdefault(size, []).append(cost.wall)
                trials = trials_of(workload, count=size, updates=UPDATES)
                for (count, stacking), executor in executors.items():
                    if count <= 2 or size == max(counts):
                        found.setdefault((count, stacking, size), []).append(search(executor, trials))
            say(f"  {workload.name}, trials: {repeat + 1} of {repeats}")
        how = {key: [one.model_dump() for one in executor.stacks] for key, executor in executors.items()}
    return [
        {
            "what": "search",
            "workload": workload.name,
            "processes": count,
            "stacking": stacking,
            "trials": size,
            "updates": UPDATES,
            "seconds": statistics.median(seconds),
            "bare_seconds": statistics.median(bare_costs[size]) * UPDATES * size,
            "how": how[count, stacking],
        }
        for (count, stacking, size), seconds in found.items()
    ]


def widths(parameters: Sequence[float], *, repeats: int) -> list[Row]:
    """Time an update of perceptrons of all sizes: bare, alone, and in a stack."""
    found = []
    for wanted in parameters:
        width = width_for(wanted)
        fewest, most = ENOUGH_UPDATES
        updates = round(min(most, max(fewest, BLOCK_PARAMETERS / wanted)))
        bare = bare_cost.of_spec(stack_cost.spec_of(width), folder=WIDE)
        block = partial(bare.cost, rows=len(bare.rows[1]), batch=BATCH, updates=updates)
        before = [block().wall for _ in range(repeats)]
        measured = stack_cost.ask(width, updates=updates, repeats=repeats)
        after = [block().wall for _ in range(repeats)]
        found.append(
            {
                "what": "parameters",
                "width": width,
                "parameters": parameters_of(width),
                "at_once": AT_ONCE,
                "bare_ms": 1e3 * statistics.median(before + after),
                "alone_ms": measured["alone"],
                "stacked_ms": measured["stacked"],
            }
        )
        say(f"  {parameters_of(width):,} parameters: {found[-1]}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and draw."""
    parser = reporting.parser(__doc__, repeats=REPEATS)
    parser.add_argument("--plot", type=Path, help="draw the pictures into this SVG file")
    parser.add_argument(
        "--from", dest="saved", type=Path, help="measure nothing: take what --json printed into this file"
    )
    asked = parser.parse_args(arguments)
    if asked.saved is not None:
        found = json.loads(asked.saved.read_text(encoding="utf-8"))
    else:
        found = _measured(quick=asked.quick, repeats=reporting.repeats_of(asked))
    rows = found["rows"]
    if asked.plot is not None:
        label = "How the cost of a search grows with its trials, with the workers and with the parameters of the model"
        asked.plot.write_text(plots.draw(grown.panels(rows), label=label), encoding="utf-8")
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    grown.show(rows)
    print()
    reporting.print_lines([Line(**line) for line in found["table"]])
    return 0


def _measured(*, quick: bool, repeats: int) -> dict[str, Any]:
    rows: list[Row] = []
    counts = workers(this_machine().cores)
    for name in SEARCHED[:1] if quick else SEARCHED:
        rows += searches(
            WORKLOADS[name], counts=QUICK_TRIALS if quick else TRIALS, processes=sorted({*counts, 2}), repeats=repeats
        )
    rows += widths(QUICK_PARAMETERS if quick else PARAMETERS, repeats=repeats)
    return reporting.document("growth", rows=rows, table=grown.lines(rows))


if __name__ == "__main__":
    sys.exit(main())
