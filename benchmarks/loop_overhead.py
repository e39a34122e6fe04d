"""What does our training loop cost beside a bare one? Prints the ratio, instruments off and on, in one run.

Bare: the loop that a user would write (a DataLoader with 0 workers, torch's default optimizer, one thread). Ours:
`run_trial` on the same model, data and number of updates, evaluations off. Blocks alternate, so that a busy machine
slows both; the ratio of the medians is printed. Goal: at most 1.15 with instruments off, 1.25 with them on.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from diagnoser.spec.reading import from_mapping
from diagnoser.training.live import LiveObjects
from diagnoser.training.loop import run_trial
from diagnoser.training.workload import load
from diagnoser.trials import Trial

ROWS, BATCH, CLASSES = 1_600, 64, 10
Build = Callable[[], nn.Module]


def mlp() -> nn.Module:
    """50,826 parameters, as in the project's performance notes."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 192), nn.ReLU(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 10)
    )


def cnn() -> nn.Module:
    """A small convolutional network for 8 x 8 pictures."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


class Transformer(nn.Module):
    """Eight rows of a picture as eight tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 48)
        layer = nn.TransformerEncoderLayer(48, 4, 192, dropout=0.0, batch_first=True, norm_first=True)
        self.encode = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(48, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, 1, 8, 8) -> (B, C)
        hidden: torch.Tensor = self.encode(self.embed(x.squeeze(1)))
        scores: torch.Tensor = self.head(hidden.mean(dim=1))
        return scores


WORKLOADS: dict[str, Build] = {"mlp": mlp, "cnn": cnn, "transformer": Transformer}


def bare(build: Build, data: tuple[torch.Tensor, torch.Tensor], updates: int) -> float:
    """Seconds of the loop that a user would write."""
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(*data), batch_size=BATCH, shuffle=True)
    losses: list[float] = []
    start = time.perf_counter()
    while len(losses) < updates:
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == updates:
                break
    return time.perf_counter() - start


def measure(build: Build, *, updates: int, repeats: int) -> dict[str, float]:
    """Ratios of the medians of alternating blocks."""
    generator = torch.Generator().manual_seed(0)
    data = (torch.rand(ROWS, 1, 8, 8, generator=generator), torch.randint(CLASSES, (ROWS,), generator=generator))
    mapping = {
        "name": "overhead", "model": "live:model", "data": {"factory": "live:data", "batch_size": BATCH},
        "loss": "cross_entropy", "optimizer": {"name": "adam", "lr": 1e-3}, "device": "cpu",
    }  # fmt: skip
    spec, _ = from_mapping(mapping, live={"model", "data"})
    workload = load(spec, folder=Path.cwd(), objects=LiveObjects(model_fn=build, data=lambda: (data, data)))
    plain = Trial(seed=0, updates=updates, evaluations=0)
    watched = plain.model_copy(update={"instruments": True})
    seconds: dict[str, list[float]] = {"bare": [], "ours": [], "instruments": []}
    for _ in range(repeats):
        seconds["bare"].append(bare(build, data, updates))
        seconds["ours"].append(run_trial(workload, plain).seconds)
        seconds["instruments"].append(run_trial(workload, watched).seconds)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "bare_ms_per_update": 1e3 * middle["bare"] / updates,
        "ours_over_bare": middle["ours"] / middle["bare"],
        "instruments_over_bare": middle["instruments"] / middle["bare"],
    }


def main() -> int:
    """Print one row per workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    for name, build in WORKLOADS.items():
        measure(build, updates=20, repeats=1)  # warm up
        rows[name] = measure(build, updates=arguments.updates, repeats=arguments.repeats)
    if arguments.json:
        print(json.dumps({"torch": torch.__version__, "machine": platform.machine(), "rows": rows}))
        return 0
    print(f"torch {torch.__version__}, Python {platform.python_version()}, one thread, batch {BATCH}")
    print(f"{'workload':12} {'bare, ms an update':>20} {'ours / bare':>12} {'with instruments':>17}")
    for name, row in rows.items():
        print(
            f"{name:12} {row['bare_ms_per_update']:20.3f} {row['ours_over_bare']:12.2f}"
            f" {row['instruments_over_bare']:17.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
