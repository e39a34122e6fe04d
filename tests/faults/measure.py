"""Is a faulty program worse? `python -m tests.faults.measure OUT [--only m001] [--jobs 1]`, over a corpus that was built.

Each case and its healthy twin train over three seeds as their specs say, with their own loop where they have one, and
no rule looks on. The figures go into `measured.json`, with a hash of the files: what is there is not measured again.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

from diagnoser.errors import EngineError, UserCodeError
from diagnoser.evidence.preflight import Assumptions, ProbeResult
from diagnoser.sandbox.limits import Machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.reading import read_spec
from diagnoser.trials import Probe, ProbeKind, Trial, TrialResult
from tests.faults import figures
from tests.faults.build import Case, cases

SEEDS = (0, 1, 2)
SECONDS = 60.0  # a run; a program of the corpus needs less than 20
ONE_CORE = Machine(cores=1, memory=None)


def measure(folder: Path) -> dict[str, Any]:
    """Train one program over the seeds."""
    spec, _ = read_spec(folder / "diagnose.yaml")
    runs = tuple(
        Trial(seed=seed, scheduled=True, loop="user" if spec.loop else "ours", max_seconds=SECONDS) for seed in SEEDS
    )
    try:
        assumed, results = _train(spec, folder, runs)
    except UserCodeError as error:
        return _nothing(f"{error}")
    if assumed is None:
        return _nothing("the assumptions could not be measured")
    last = [result.evaluations[-1] if result.evaluations else None for result in results]
    errors = [result.error for result in results if result.error is not None]
    values = [None if one is None else _finite(one.validation_metric) for one in last]
    return {
        "metric": assumed.metric,
        "higher_is_better": assumed.higher_is_better,
        "seeds": len(SEEDS),
        "train": _mean(None if one is None else one.train_metric for one in last),
        "val": _mean(values),
        "train_loss": _mean(None if one is None else one.train_loss for one in last),
        "val_loss": _mean(None if one is None else one.validation_loss for one in last),
        "initial_loss": _mean(result.initial_loss for result in results),
        "seconds": _mean(result.seconds for result in results),
        "val_by_seed": values,
        "outcomes": [str(result.outcome) for result in results],
        "error": f"{errors[0].kind}: {errors[0].message}"[:200] if errors else None,
    }


def _train(
    spec: TrainingSpec, folder: Path, runs: tuple[Trial, ...]
) -> tuple[Assumptions | None, tuple[TrialResult, ...]]:
    with LocalExecutor(spec, folder=folder, cache=None, processes=1, machine=ONE_CORE, stacking=False) as executor:
        executor.open()
        work: tuple[Probe | Trial, ...] = (Probe(probe=ProbeKind.ASSUMPTIONS), *runs)
        deadline = time.monotonic() + SECONDS * (1 + len(runs))
        seen, *results = executor.run(work, deadline=deadline, on_result=_ignore)
    value = seen.value if isinstance(seen, ProbeResult) else None
    return (
        value if isinstance(value, Assumptions) else None,
        tuple(result for result in results if isinstance(result, TrialResult)),
    )


def _ignore(_index: int, _result: object) -> None:
    """All results come at the end."""


def _nothing(error: str) -> dict[str, Any]:
    """A program that cannot even be opened has no figures."""
    empty = dict.fromkeys((*figures.SHOWN, "higher_is_better"))
    return empty | {"seeds": len(SEEDS), "val_by_seed": [None] * len(SEEDS), "outcomes": [], "error": error[:200]}


def worse(found: figures.Figures, twin: figures.Figures) -> bool | None:
    """Whether the faulty program is worse on every seed; None when the two are judged by different metrics.

    A run without a final metric (it diverged, or its code raised) is worse than one that has one.
    """
    if None in twin["val_by_seed"] or found["metric"] not in {None, twin["metric"]}:
        return None
    sign = 1 if twin["higher_is_better"] else -1
    pairs = zip(found["val_by_seed"], twin["val_by_seed"], strict=True)
    return all(ours is None or sign * (ours - healthy) < 0 for ours, healthy in pairs)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in map(_finite, values) if value is not None]
    return round(fmean(known), 5) if known else None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder that `python -m tests.faults.build` wrote")
    parser.add_argument("--only", metavar="IDS", default="", help="comma-separated ids; their twins are measured too")
    parser.add_argument("--jobs", type=int, default=1, help="programs at the same time (default: %(default)s)")
    arguments = parser.parse_args(argv)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    only = {name.strip() for name in arguments.only.split(",") if name.strip()}
    there = {entry["id"] for entry in json.loads((arguments.out / "truth.json").read_text(encoding="utf-8"))["cases"]}
    everything = {case.key: case for case in cases() if case.id in there}
    faulty = [case for case in everything.values() if case.fault is not None and (not only or case.id in only)]
    twins = [everything[case.program.name] for case in faulty if case.program.name in everything]
    alone = [case for case in everything.values() if case.fault is None and (not only or case.id in only)]
    measured = figures.read()

    def one(case: Case) -> tuple[Case, dict[str, Any] | EngineError]:
        try:
            return case, measure(arguments.out / case.id) | {"files": figures.fingerprint(case.program)}
        except EngineError as error:  # ours, not the program's: nothing was measured
            return case, error

    queue = list({case.key: case for case in (*twins, *faulty, *alone)}.values())
    missing = [case for case in queue if figures.of(case.program, case.key, measured) is None]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for case, found in pool.map(one, missing):
            if isinstance(found, EngineError):
                print(f"{case.id} {case.key}: not measured: {found}", flush=True)
                continue
            measured[case.key] = found
            figures.write(measured)
            print(line(case, measured), flush=True)


def line(case: Case, measured: dict[str, figures.Figures]) -> str:
    """What a person wants to see while it runs."""
    found = measured[case.key]
    twin = measured.get(case.program.name)
    kind = "healthy" if case.fault is None else "hint, worse" if not case.fault.faulty else "worse"
    verdict = kind if case.fault is None else f"{kind}: {None if twin is None else worse(found, twin)}"
    before = f" (twin {twin['val']})" if case.fault is not None and twin is not None else ""
    said = f" {found['error']}" if found["error"] else ""
    return f"{case.id} {case.key:60} {verdict:12} {found['metric']} {found['val']}{before} {found['seconds']} s{said}"


if __name__ == "__main__":
    main()
