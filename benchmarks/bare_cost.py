"""What does one update cost in the loop that a user would write?

A DataLoader with 0 workers, torch's default optimizer, one thread, no evaluation; the model is the user's own.
"""

import importlib.util
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from diagnoser.spec.fields import TrainingSpec

WARM_UPDATES = 3
OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one update, in seconds; other work on the machine disturbs the processor's time less than the wall's."""

    wall: float
    processor: float


@dataclass(frozen=True, kw_only=True)
class Bare:
    """A user's model, rows and optimizer, trained by hand."""

    build: Callable[[], nn.Module]
    rows: tuple[Tensor, Tensor]
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]

    def cost(self, *, rows: int, batch: int, updates: int) -> Cost:
        """Train a fresh model on the first rows for that many updates, and some more to end the epoch."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            torch.manual_seed(0)
            model = self.build()
            optimizer = self.optimizer(model)
            x, y = self.rows
            loader = DataLoader(TensorDataset(x[:rows], y[:rows]), batch_size=batch, shuffle=True)
            for x_batch, y_batch in itertools.islice(loader, WARM_UPDATES):
                _update(model, optimizer, x_batch, y_batch)
            done, start, worked = 0, time.perf_counter(), time.process_time()
            while done < updates:
                for x_batch, y_batch in loader:
                    _update(model, optimizer, x_batch, y_batch)
                done += len(loader)
            return Cost(
                wall=(time.perf_counter() - start) / done,
                processor=(time.process_time() - worked) / done,
            )
        finally:
            torch.set_num_threads(threads)


def of_spec(spec: TrainingSpec, *, folder: Path) -> Bare:
    """Take model, rows and optimizer from a spec; only what the benchmarks' own specs say is understood."""
    assert spec.loss is not None
    assert (spec.loss.name, spec.accumulate_batches, spec.precision) == ("cross_entropy", 1, "float32")
    given = spec.optimizer
    build = _attribute(spec.model.factory, folder)
    train, *_ = _attribute(spec.data.factory, folder)(**spec.data.args)
    momentum = {} if given.momentum is None else {"momentum": given.momentum}
    kind: Any = OPTIMIZERS[given.name]
    return Bare(
        build=lambda: build(**spec.model.args),
        rows=train,
        optimizer=lambda model: kind(model.parameters(), lr=given.lr, weight_decay=given.weight_decay, **momentum),
    )


def _update(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()


def _attribute(reference: str, folder: Path) -> Callable[..., Any]:
    """Import `module:attr` from a file, under a name of its own."""
    module_name, _, attribute = reference.partition(":")
    name = f"bare_{module_name}"
    found = importlib.util.spec_from_file_location(name, folder / f"{module_name}.py")
    assert found is not None
    assert found.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    call: Callable[..., Any] = getattr(module, attribute)
    return call
