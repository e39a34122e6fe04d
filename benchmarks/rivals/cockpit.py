"""What does Cockpit cost on a training step? A bare loop with it and without it, timed step for step alike.

Cockpit (arXiv 2102.06604) tracks what BackPACK adds to the backward pass. It needs the loss of every row beside their
mean, so the loop with it computes both, as its own examples do.
"""

import importlib
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.rivals.torchvision_without_operators import make_importable
from benchmarks.workloads import BATCH, Rows

LR = 0.01
LABELS = ("economy", "full")


def missing() -> str | None:
    """Say why Cockpit cannot run here; None: it can be imported."""
    if importlib.util.find_spec("cockpit") is None:
        return "not installed"
    try:
        _packages()
    except Exception as error:  # noqa: BLE001 (a rival that does not work here is a result)
        return f"failed: {type(error).__name__}: {error}"[:120]
    return None


def seconds_without(build: Callable[[], nn.Module], rows: Rows, *, updates: int) -> float:
    """Time the bare loop."""
    model, loader, optimizer = _made(build, rows)
    loss_of = nn.CrossEntropyLoss()
    taken = 0
    start = time.perf_counter()
    while taken < updates:
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            taken += 1
            if taken == updates:
                break
    return time.perf_counter() - start


def seconds_with(build: Callable[[], nn.Module], rows: Rows, *, updates: int, label: str, every: int) -> float:
    """Time the same loop with Cockpit's quantities of a label, tracked every so many steps."""
    extend, cockpit_of, configuration, linear = _packages()
    model, loader, optimizer = _made(build, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = extend(model)
        loss_of, each_of = extend(nn.CrossEntropyLoss()), nn.CrossEntropyLoss(reduction="none")
        quantities = configuration(label, track_schedule=linear(interval=every))
        cockpit = cockpit_of(model.parameters(), quantities=quantities)
        taken = 0
        start = time.perf_counter()
        while taken < updates:
            for inputs, targets in loader:
                optimizer.zero_grad()
                outputs = model(inputs)
                loss = loss_of(outputs, targets)
                info = {
                    "batch_size": len(inputs),
                    "individual_losses": each_of(outputs, targets),
                    "loss": loss,
                    "optimizer": optimizer,
                }
                with cockpit(taken, info=info):
                    loss.backward(create_graph=cockpit.create_graph(taken))
                optimizer.step()
                taken += 1
                if taken == updates:
                    break
        return time.perf_counter() - start


def _made(
    build: Callable[[], nn.Module], rows: Rows
) -> tuple[nn.Module, "DataLoader[tuple[torch.Tensor, ...]]", torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = build()
    loader = DataLoader(TensorDataset(*rows), batch_size=BATCH, shuffle=True)
    return model, loader, torch.optim.SGD(model.parameters(), lr=LR)


def _packages() -> tuple[Any, Any, Any, Any]:
    """Import Cockpit and BackPACK without their warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_importable()
        cockpit = importlib.import_module("cockpit")
        extend = importlib.import_module("backpack").extend
        configuration = importlib.import_module("cockpit.utils.configuration").configuration
        linear = importlib.import_module("cockpit.utils.schedules").linear
    return extend, cockpit.Cockpit, configuration, linear
