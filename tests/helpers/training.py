"""Programs of ten lines whose losses are known, loaded as a user's would be."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Data, Factory, Loss, Optimizer, TrainingSpec
from diagnoser.training.live import LiveObjects
from diagnoser.training.loop import run_trial
from diagnoser.training.workload import Workload, load
from diagnoser.trials import Trial, TrialResult

LIVE = ("model_fn", "data", "loss_fn", "optimizer_fn", "step_fn", "loop_fn", "evaluate_fn", "metric_fn")


def loaded(model: Any, data: Any, *, batch_size: int = 16, shuffle: bool = True, **given: Any) -> Workload:
    """Load live objects; names that end in `_fn` are objects, the rest are fields of the spec."""
    objects: dict[str, Any] = {"model_fn": model, "data": data}
    for name in LIVE:
        if name.endswith("_fn") and name in given:
            objects[name.removesuffix("_fn")] = given.pop(name)
    if isinstance(given.get("loss"), str):
        given["loss"] = Loss(name=given["loss"])
    given.setdefault("optimizer", Optimizer(name="sgd", lr=0.1))
    spec = TrainingSpec(
        name="test",
        model=Factory(factory="test:model"),
        data=Data(factory="test:data", batch_size=batch_size, shuffle=shuffle, **given.pop("data_settings", {})),
        device="cpu",
        **given,
    )
    return load(spec, folder=Path(), objects=LiveObjects(**objects))


def ran(workload: Workload, **trial: Any) -> TrialResult:
    """Run one trial."""
    return run_trial(workload, Trial(**{"seed": 0, **trial}))


def project(folder: Path, code: str, **given: Any) -> Workload:
    """Write project.py into a folder and load it by import path."""
    (folder / "project.py").write_text(code, encoding="utf-8")
    fields: dict[str, Any] = {
        "name": "test",
        "model": Factory(factory="project:model"),
        "data": Data(factory="project:data", batch_size=8),
        "device": "cpu",
        **given,
    }
    return load(TrainingSpec(**fields), folder=folder)


def classes(rows: int = 64, *, features: int = 4, count: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows whose class can be read off their largest feature."""
    x = torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))
    return x, x[:, :count].argmax(1)


def numbers(rows: int = 64, *, features: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows whose target is the sum of their features, as a column."""
    x = torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))
    return x, x.sum(1, keepdim=True)


def two(make: Any = classes, **given: Any) -> Any:
    """Make training and validation rows."""
    return make(64, seed=0, **given), make(32, seed=1, **given)


def net(features: int = 4, outputs: int = 3, hidden: int = 16) -> nn.Module:
    """Build a small network."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class Zeros(nn.Module):
    """Answers 0 whatever it sees, with a parameter that training cannot move."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Answer zeros, (B, C)."""
        return x.flatten(1)[:, :1] * 0 + self.unused * 0
