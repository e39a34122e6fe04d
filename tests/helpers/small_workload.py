"""Workloads for tests of what is measured: a small model on small data, and whatever a test lets go wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Data, Factory, Loss, Optimizer, Task, TrainingSpec
from diagnoser.training.live import LiveObjects
from diagnoser.training.workload import Workload, load

FEATURES, CLASSES = 8, 4

Pair = tuple[Tensor, Tensor]


def blobs(rows: int, *, seed: int, noise: float = 1.0) -> Pair:
    """Rows round one centre per class, in random order: a linear model gets nearly all of them right."""
    generator = torch.Generator().manual_seed(seed)
    centres = 2.0 * torch.randn(CLASSES, FEATURES, generator=torch.Generator().manual_seed(7))
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    return centres[labels] + noise * torch.randn(rows, FEATURES, generator=generator), labels


def net(dropout: float = 0.0, *, norm: bool = False) -> nn.Module:
    """Two layers, with what a test asks for in between."""
    between: list[nn.Module] = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(FEATURES, 16), *between, nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, CLASSES))


def workload(
    *,
    data: Any = None,
    model: Callable[[], nn.Module] = net,
    loss: str | None = "cross_entropy",
    task: Task | None = Task.CLASSIFICATION,
    loop: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    step: Callable[..., Any] | None = None,
    optimizer: Optimizer | None = None,
    batch_size: int = 16,
    **spec: Any,
) -> Workload:
    """Load a workload from live objects."""
    return load(
        TrainingSpec(
            name="small",
            model=Factory(factory="test:model"),
            data=Data(factory="test:data", batch_size=batch_size, shuffle=spec.pop("shuffle", True)),
            loss=None if loss is None else Loss(name=loss),
            optimizer=optimizer or Optimizer(name="sgd", lr=0.05),
            task=task,
            device="cpu",
            **spec,
        ),
        folder=Path(),
        objects=LiveObjects(
            model_fn=model,
            data=data if data is not None else (blobs(320, seed=1), blobs(100, seed=2)),
            loop=loop,
            evaluate=evaluate,
            step=step,
        ),
    )
