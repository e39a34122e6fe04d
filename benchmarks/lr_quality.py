"""Whose learning rate trains best? Every tool proposes one, then the same bare run is made at each of them.

A proposal is judged by the validation loss of trainings from scratch with the same budget and a constant lr: the mean
over three of them, since on small data two runs differ more than two neighbouring lrs. It is compared with the best lr
of a dense grid, trained alike: 1.00 is as good as the best. What ends worse than the untrained model counts as the
untrained model, which everybody can have.
"""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from statistics import fmean, median

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import our_scan
from benchmarks.lr_problems import Problem
from benchmarks.reporting import say
from benchmarks.rivals import lr_finders
from benchmarks.workloads import Split
from diagnoser.sandbox.limits import this_machine

OURS = "ours"
SHORT_EPOCHS = 3  # looked at on the way
TRAININGS = 3  # at each lr
GRID = tuple(float(f"{10 ** (e / 4):.3g}") for e in range(-16, 3))  # 1e-4 to 3.2, four a decade


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Mean validation loss of the trainings at one lr, after 3 epochs and at the end."""

    short: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One problem: what each tool proposed by seed, and what came of it."""

    problem: str
    proposals: dict[str, tuple[float | None, ...]]
    steps: dict[str, tuple[int, ...]]
    losses: dict[str, tuple[Loss, ...]]  # without a proposal the user's own lr stands
    grid: dict[float, Loss]
    untrained: float

    @property
    def best(self) -> Loss:
        """The lowest losses that any lr of the grid reached."""
        return Loss(short=min(g.short for g in self.grid.values()), end=min(g.end for g in self.grid.values()))

    @property
    def best_lr(self) -> float:
        """The lr of the grid with the lowest loss at the end."""
        return min(self.grid, key=lambda lr: self.grid[lr].end)

    def ratio(self, tool: str) -> float:
        """Loss at a tool's proposals over that at the best lr."""
        return geometric_mean(loss.end / self.best.end for loss in self.losses[tool])

    def short_ratio(self, tool: str) -> float:
        """The same after 3 epochs."""
        return geometric_mean(loss.short / self.best.short for loss in self.losses[tool])

    def lost(self, tool: str) -> float:
        """Share of what training can gain that is lost by not taking the best lr."""
        return fmean((loss.end - self.best.end) / (self.untrained - self.best.end) for loss in self.losses[tool])

    def middle_proposal(self, tool: str) -> float | None:
        """Median over the seeds of what a tool proposed."""
        kept = [proposal for proposal in self.proposals[tool] if proposal is not None]
        return median(kept) if kept else None


def judge_all(problems: Sequence[Problem], *, seeds: int, tools: Sequence[str]) -> list[Judged]:
    """Judge every problem, a few at a time, each with one thread."""
    with ProcessPoolExecutor(this_machine().processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(judge, problem, seeds=seeds, tools=tuple(tools)): problem for problem in problems}
        for done in as_completed(waiting):
            say(f"  {waiting[done].name}: judged")
        return [one.result() for one in waiting]


def judge(problem: Problem, *, seeds: int, tools: tuple[str, ...]) -> Judged:
    """Ask every tool, once a seed, and train at each proposal and over the grid."""
    torch.set_num_threads(1)
    split = problem.data()
    proposals: dict[str, list[float | None]] = {}
    steps: dict[str, list[int]] = {}
    with our_scan.opened(problem, processes=1) as scanner:
        for seed in range(seeds):
            scanned = scanner.scan(seed)
            proposals.setdefault(OURS, []).append(scanned.read.proposal)
            steps.setdefault(OURS, []).append(scanned.steps)
    for tool in tools:
        for seed in range(seeds):
            found = lr_finders.TOOLS[tool](problem, parts(problem, split, seed=seed))
            for rule, proposal in found.proposals.items():
                usable = proposal is not None and math.isfinite(proposal) and proposal > 0
                proposals.setdefault(f"{tool} {rule}", []).append(proposal if usable else None)
                steps.setdefault(f"{tool} {rule}", []).append(found.steps)

    @cache
    def loss_at(lr: float) -> Loss:
        return train(problem, split, lr=lr)

    return Judged(
        problem=problem.name,
        proposals={tool: tuple(found) for tool, found in proposals.items()},
        steps={tool: tuple(taken) for tool, taken in steps.items()},
        losses={tool: tuple(loss_at(lr or problem.usual_lr) for lr in found) for tool, found in proposals.items()},
        grid={lr: loss_at(lr) for lr in GRID},
        untrained=train(problem, split, lr=0.0, epochs=0).end,
    )


def parts(problem: Problem, split: Split, *, seed: int) -> lr_finders.Parts:
    """Build what a user hands to a tool."""
    torch.manual_seed(seed)
    model = problem.model()
    train_set, validation_set = (TensorDataset(*part) for part in split)
    return lr_finders.Parts(
        model=model,
        optimizer=problem.build_optimizer(model, lr=lr_finders.LOWEST),
        train=DataLoader(train_set, batch_size=problem.batch, shuffle=True),
        validation=DataLoader(validation_set, batch_size=problem.batch),
    )


def train(problem: Problem, split: Split, *, lr: float, epochs: int | None = None) -> Loss:
    """Train a few times as a user would, at a constant lr; the mean of the losses."""
    runs = [_train_once(problem, split, lr=lr, epochs=epochs, seed=100 + n) for n in range(TRAININGS)]
    return Loss(short=fmean(run.short for run in runs), end=fmean(run.end for run in runs))


def _train_once(problem: Problem, split: Split, *, lr: float, epochs: int | None, seed: int) -> Loss:
    torch.manual_seed(seed)
    model = problem.model()
    optimizer = problem.build_optimizer(model, lr=lr)
    loader = DataLoader(TensorDataset(*split[0]), batch_size=problem.batch, shuffle=True)
    losses = [_validation_loss(problem, model, split)]
    for _ in range(problem.epochs if epochs is None else epochs):
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = problem.loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
        losses.append(_validation_loss(problem, model, split))
        if not math.isfinite(losses[-1]):
            break
    kept = [min(loss, losses[0]) if math.isfinite(loss) else losses[0] for loss in losses]
    return Loss(short=kept[min(SHORT_EPOCHS, len(kept) - 1)], end=kept[-1])


@torch.no_grad()
def _validation_loss(problem: Problem, model: torch.nn.Module, split: Split) -> float:
    model.eval()
    inputs, targets = split[1]
    return problem.loss_of(model(inputs), targets).item()


def geometric_mean(values: Iterable[float]) -> float:
    """Mean of ratios: twice as bad and twice as good cancel."""
    return math.exp(fmean(math.log(value) for value in values))
