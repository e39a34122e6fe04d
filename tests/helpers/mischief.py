"""A user's project of one small file that does, on demand, what user code should not do."""

import json
from pathlib import Path

PROJECT = """
import os
import sys
import time

import torch

BATCHES = 0


class Words(torch.utils.data.Dataset):
    def __len__(self):
        return 100

    def __getitem__(self, index):
        return f"sentence {index}", index % 3


class Net(torch.nn.Module):
    def __init__(self, kind, after):
        super().__init__()
        self.kind, self.after = kind, after
        if kind != "no parameters":
            self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))

    def forward(self, x):
        global BATCHES
        BATCHES += self.training and torch.is_grad_enabled()
        if self.kind == "no parameters":
            return x[:, :3] * 1.0
        if self.kind == "wrong shape":
            return self.layers(x)[:-1]
        if self.kind == "slow":
            time.sleep(self.after / 1000)
        elif self.after and BATCHES >= self.after:
            misbehave(self.kind)
        return self.layers(x)


def misbehave(kind):
    if kind == "raises":
        raise ValueError("my own words")
    if kind == "exits":
        sys.exit("enough")
    if kind == "hangs":
        while True:
            time.sleep(0.01)
    if kind in ("prints and raises", "prints"):
        for _ in range(20):
            print("x" * 1_000_000)
        if kind == "prints and raises":
            raise ValueError("my own words")
    if kind == "forks and raises":
        os.fork()
        raise ValueError("my own words")
    if kind == "returns text":
        return "a model"


def model(kind="none", after=0):
    if not after and (answer := misbehave(kind)):
        return answer
    return Net(kind, after)


def data(kind="none", rows=320):
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    y = x[:, :3].argmax(1)
    cut = rows * 3 // 4
    if kind == "raises":
        raise FileNotFoundError("train.csv is not there")
    if kind == "empty":
        return (x[:0], y[:0]), (x[cut:], y[cut:])
    if kind == "strings":
        return Words(), Words()
    if kind == "target out of range":
        y[50] = 7
    if kind == "all NaN":
        x[:] = float("nan")
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
"""


def write(folder: Path, *, model: dict[str, object] | None = None, data: dict[str, object] | None = None) -> Path:
    """Write the project and a spec that asks for this mischief; returns the spec's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.py").write_text(PROJECT, encoding="utf-8")
    spec = folder / "diagnose.yaml"
    spec.write_text(
        f"model: {{factory: 'project:model', args: {json.dumps(model or {})}}}\n"
        f"data: {{factory: 'project:data', args: {json.dumps(data or {})}}}\n"
        "loss: cross_entropy\n",
        encoding="utf-8",
    )
    return spec
