"""What does an update of one trial cost, alone and in a stack, when nobody decides which of them pays?

    python -m benchmarks.stack_cost --width W --updates N --repeats R

The wide perceptron, trained as a child trains it, in one thread; prints milliseconds as JSON. It is a program of its
own because the allocator's settings are read once, when a process starts: give it `environment_for_child`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.workloads import BATCH
from diagnoser.sandbox.child_environment import environment_for_child
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.reading import from_mapping
from diagnoser.training.loop import run_trial
from diagnoser.training.preparation import prepare
from diagnoser.training.randomness import restored
from diagnoser.training.stacked.together import Member, train_together
from diagnoser.training.watching import Watch
from diagnoser.training.workload import Workload, load
from diagnoser.trials import Trial, TrialResult

WIDE = Path(__file__).resolve().parent / "wide"
AT_ONCE = 8  # half of a search of 16: what each of two processes gets
LR = 0.01
WARM_UPDATES = 3


def spec_of(width: int) -> TrainingSpec:
    """Write the wide perceptron as a user's spec."""
    mapping = {
        "name": f"a perceptron {width} wide",
        "model": {"factory": "wide_mlp:build_model", "args": {"width": width}},
        "data": {"factory": "wide_mlp:build_data", "batch_size": BATCH},
        "loss": "cross_entropy",
        "optimizer": {"name": "sgd", "lr": LR, "momentum": 0.9},
        "device": "cpu",
    }
    return from_mapping(mapping, folder=WIDE)[0]


def ask(width: int, *, updates: int, repeats: int) -> dict[str, float]:
    """Measure in a process of its own."""
    numbers = {"--width": width, "--updates": updates, "--repeats": repeats}
    arguments = [str(word) for pair in numbers.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.stack_cost", *arguments],
        env=environment_for_child(os.environ, threads=1),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def alone(workload: Workload, trials: Sequence[Trial]) -> list[TrialResult]:
    """Train one after the other."""
    return [run_trial(workload, trial) for trial in trials]


def stacked(workload: Workload, trials: Sequence[Trial]) -> list[TrialResult]:
    """Train all of them at once, whether it pays or not."""
    results: dict[int, TrialResult] = {}
    with restored():
        members = []
        for index, trial in enumerate(trials):
            prepared = prepare(workload, trial)
            state = torch.get_rng_state()  # prepare seeds it last
            watch = Watch(prepared, report=None)
            members.append(Member(index=index, prepared=prepared, watch=watch, random_state=state))
        train_together(members, on_result=results.__setitem__, trying=None)
    return [results[index] for index in range(len(trials))]


def main() -> int:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--width", "--updates", "--repeats"):
        parser.add_argument(name, type=int, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    workload = load(spec_of(asked.width), folder=WIDE)
    trials = [Trial(seed=seed, updates=asked.updates, evaluations=0) for seed in range(AT_ONCE)]
    ways = {"alone": alone, "stacked": stacked}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for train in ways.values():
        train(workload, [trial.model_copy(update={"updates": WARM_UPDATES}) for trial in trials])
    for _ in range(asked.repeats):
        for name, train in ways.items():
            results = train(workload, trials)
            found[name].append(1e3 * sum(r.seconds for r in results) / sum(r.updates for r in results))
    print(json.dumps({name: median(values) for name, values in found.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
