"""How long does a learning-rate scan take? Ours and other tools', each beside the bare loop of the same steps.

Ours trains ten to fifteen learning rates for 100 steps each, others train once for 100 steps while the lr rises, so
each is held against a bare loop that takes as many steps as it took itself. Blocks take turns, so that a busy machine
slows all; medians of the ratios count. Children are warm, imports and models ready.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import our_scan
from benchmarks.lr_problems import Problem
from benchmarks.lr_quality import parts
from benchmarks.reporting import say
from benchmarks.rivals import lr_finders
from benchmarks.workloads import Split

PROCESSES = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Time:
    """One contender on one workload: medians over the blocks."""

    workload: str
    contender: str
    steps: float | None = None
    seconds: float | None = None
    bare_seconds: float | None = None  # of as many steps
    over_bare: float | None = None  # median of the paired ratios
    note: str = ""


Block = Callable[[int], tuple[float, list[tuple[float, int]]]]
"""By seed: seconds, and the lr and the steps of each training that it made."""


def measure(problem: Problem, *, repeats: int) -> list[Time]:
    """Time everyone in turn."""
    torch.set_num_threads(1)
    split = problem.data()
    with ExitStack() as stack:
        blocks: dict[str, Block] = {}
        failed: dict[str, str] = {}
        for processes in PROCESSES:
            scanner = stack.enter_context(our_scan.opened(problem, processes=processes))
            blocks[ours(processes)] = _ours(scanner)
        for tool in lr_finders.TOOLS:
            missing = lr_finders.missing(tool)
            if missing is None:
                blocks[tool] = _theirs(tool, problem, split)
            else:
                failed[tool] = missing
        for block in blocks.values():  # a warm-up of each
            block(repeats)
        pairs: dict[str, list[tuple[float, int, float]]] = {name: [] for name in blocks}
        for seed in range(repeats):
            for name, block in blocks.items():
                seconds, trainings = block(seed)
                bare = sum(bare_seconds(problem, split, lr=lr, steps=steps) for lr, steps in trainings)
                pairs[name].append((seconds, sum(steps for _, steps in trainings), bare))
                say(f"  {problem.name}, {name}: {seconds:.2f} s, bare {bare:.2f} s")
    return [*(_time(problem, name, found) for name, found in pairs.items()), *_failed(problem, failed)]


def ours(processes: int) -> str:
    """Name our contender."""
    return f"ours, {processes} process{'es' if processes > 1 else ''}"


def bare_seconds(problem: Problem, split: Split, *, lr: float, steps: int) -> float:
    """Time the loop that a user would write, the building of its model included."""
    start = time.perf_counter()
    torch.manual_seed(0)
    model = problem.model()
    optimizer = problem.build_optimizer(model, lr=lr)
    loader = DataLoader(TensorDataset(*split[0]), batch_size=problem.batch, shuffle=True)
    losses: list[float] = []
    while len(losses) < steps:
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = problem.loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return time.perf_counter() - start


def _ours(scanner: our_scan.Scanner) -> Block:
    def block(seed: int) -> tuple[float, list[tuple[float, int]]]:
        scanned = scanner.scan(seed)
        return scanned.seconds, scanned.trainings

    return block


def _theirs(tool: str, problem: Problem, split: Split) -> Block:
    def block(seed: int) -> tuple[float, list[tuple[float, int]]]:
        found = lr_finders.TOOLS[tool](problem, parts(problem, split, seed=seed))
        return found.seconds, [(problem.usual_lr, found.steps)]

    return block


def _time(problem: Problem, name: str, pairs: Sequence[tuple[float, int, float]]) -> Time:
    return Time(
        workload=problem.name,
        contender=name,
        steps=median(steps for _, steps, _ in pairs),
        seconds=median(seconds for seconds, _, _ in pairs),
        bare_seconds=median(bare for _, _, bare in pairs),
        over_bare=median(seconds / bare for seconds, _, bare in pairs),
    )


def _failed(problem: Problem, failed: dict[str, str]) -> list[Time]:
    return [
        Time(
            workload=problem.name, contender=name, steps=None, seconds=None, bare_seconds=None, over_bare=None, note=why
        )
        for name, why in failed.items()
    ]
