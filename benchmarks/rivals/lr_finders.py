"""Which learning rate do other tools propose, and how long do they take? Each with its own defaults, for 100 steps.

A tool trains once while the lr rises, and reads a proposal from the curve of the loss. Imports, plots and the building
of the model are not timed; progress bars go nowhere.
"""

import contextlib
import importlib
import importlib.util
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks.lr_problems import Problem
from benchmarks.rivals.torchvision_without_operators import make_importable

STEPS = 100
LOWEST, HIGHEST = 1e-7, 10.0  # fastai's default, and what torch-lr-finder's readme shows; Lightning has its own


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one run of a tool gave."""

    seconds: float
    steps: int  # really taken: tools stop when the loss explodes
    proposals: dict[str, float | None]  # by name of the rule; None: it could not say


Tool = Callable[[Problem, "Parts"], Found]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A fresh model, its optimizer at the lowest lr, and the loaders: what a user hands to a tool."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    train: "DataLoader[Any]"
    validation: "DataLoader[Any]"


def missing(tool: str) -> str | None:
    """Say why a tool cannot run here; None: it can."""
    package = PACKAGES[tool]
    if importlib.util.find_spec(package) is None:
        return "not installed"
    try:
        _package(package)
    except Exception as error:  # noqa: BLE001 (a rival that does not work here is a result)
        return f"failed: {type(error).__name__}: {error}"[:120]
    return None


def torch_lr_finder(problem: Problem, parts: Parts) -> Found:
    """torch-lr-finder: steepest fall of the smoothed loss, per step."""
    package = _package("torch_lr_finder")
    pyplot = _pyplot()
    finder = package.LRFinder(parts.model, parts.optimizer, problem.loss_of, device="cpu")
    with _quiet():
        start = time.perf_counter()
        finder.range_test(parts.train, end_lr=HIGHEST, num_iter=STEPS)
        seconds = time.perf_counter() - start
        try:
            _, proposal = finder.plot(ax=pyplot.subplots()[1])
        except RuntimeError:  # too few points were left
            proposal = None
        pyplot.close("all")
    return Found(seconds=seconds, steps=len(finder.history["lr"]), proposals={"steepest": proposal})


def lightning(problem: Problem, parts: Parts) -> Found:
    """Lightning's Tuner.lr_find, without logger, progress bar and checkpoints: steepest fall, per unit of lr."""
    package = _package("lightning.pytorch")
    tuner_of = _package("lightning.pytorch.tuner").Tuner

    class Module(package.LightningModule):  # type: ignore[misc, name-defined]  # a class of a package that may be missing
        def __init__(self) -> None:
            super().__init__()
            self.net = parts.model
            self.lr = LOWEST

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            inputs, targets = batch
            return problem.loss_of(self.net(inputs), targets)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return problem.build_optimizer(self, lr=self.lr)

    with _quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = package.Trainer(
            accelerator="cpu", max_epochs=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=folder,
        )  # fmt: skip
        module = Module()
        start = time.perf_counter()
        finder = tuner_of(trainer).lr_find(module, train_dataloaders=parts.train, num_training=STEPS)
        seconds = time.perf_counter() - start
        proposal = finder.suggestion()
    return Found(seconds=seconds, steps=len(finder.results["lr"]), proposals={"suggestion": proposal})


def fastai(problem: Problem, parts: Parts) -> Found:
    """fastai's lr_find with its four rules; `valley` is its default."""  # noqa: D403 (its name)
    data = _package("fastai.data.core")
    learner = _package("fastai.learner")
    optimizer = _package("fastai.optimizer")
    schedule = _package("fastai.callback.schedule")
    rules = {"valley": schedule.valley, "slide": schedule.slide, "minimum": schedule.minimum, "steep": schedule.steep}
    kind = type(parts.optimizer)
    more = {"momentum": parts.optimizer.defaults["momentum"]} if kind is torch.optim.SGD else {}
    proposals: dict[str, float | None] = {}
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        learn = learner.Learner(
            data.DataLoaders(parts.train, parts.validation), parts.model, loss_func=problem.loss_of, path=folder,
            opt_func=partial(optimizer.OptimWrapper, opt=kind, **more),
        )  # fmt: skip
        start = time.perf_counter()
        learn.lr_find(num_it=STEPS, show_plot=False, suggest_funcs=None)
        seconds = time.perf_counter() - start
        for name, rule in rules.items():
            proposals[name] = _read(rule, learn.recorder)
    return Found(seconds=seconds, steps=len(learn.recorder.lrs), proposals=proposals)


TOOLS: dict[str, Tool] = {"torch-lr-finder": torch_lr_finder, "Lightning": lightning, "fastai": fastai}
PACKAGES = {"torch-lr-finder": "torch_lr_finder", "Lightning": "lightning", "fastai": "fastai"}


def _package(name: str) -> Any:
    """Import without a word what may not be installed."""
    with _quiet():
        make_importable()  # fastai needs torchvision, and Lightning's metrics import it where it is installed
        return importlib.import_module(name)


def _read(rule: Callable[..., Any], recorder: Any) -> float | None:
    """Apply one of fastai's rules to its curve, cut as its lr_find cuts it."""
    rates = torch.tensor(recorder.lrs[STEPS // 10 : -5])
    losses = torch.tensor([float(loss) for loss in recorder.losses[STEPS // 10 : -5]])
    bad = losses.isnan().nonzero()
    if len(bad):
        rates, losses = rates[: int(bad[0])], losses[: int(bad[0])]
    try:
        return float(rule(rates, losses, STEPS)[0])
    except (IndexError, RuntimeError, ValueError):  # too few points were left
        return None


def _pyplot() -> Any:
    _package("matplotlib").use("Agg")
    return _package("matplotlib.pyplot")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loud = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(loud)
