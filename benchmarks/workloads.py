"""What do the benchmarks train? Three small models on two sets of digits; for our runs this file is the user's project.

It imports what a user's program would: no module of ours. `workloads:mlp` with the folder `benchmarks` is the model of
a spec. MNIST is read from a folder that the caller names; without one its workloads are left out.

Shapes: B batch, S side of a picture, C classes, N rows.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

CLASSES = 10
BATCH = 64
HELD_OUT = 0.2  # share of the rows, for validation
IMAGES, LABELS = "mnist10k-images-idx3-ubyte.gz", "mnist10k-labels-idx1-ubyte.gz"
IMAGES_HEADER, LABELS_HEADER = 16, 8  # bytes, by the IDX format

Rows = tuple[torch.Tensor, torch.Tensor]  # (N, 1, S, S) in 0..1 and (N,)
Split = tuple[Rows, Rows]  # training, validation


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A model, its data and an optimizer that suits it."""

    model: Literal["mlp", "cnn", "transformer"]
    data: Literal["digits", "mnist"]
    optimizer: Literal["sgd", "adam"]
    lrs: tuple[float, float, float, float]  # of a search: the best of two epochs is among them, and none diverges
    weight_decays: tuple[float, float, float, float] = (0.0, 1e-4, 1e-3, 1e-2)
    momentum: float | None = None

    @property
    def name(self) -> str:
        return f"{self.data} {self.model}"

    @property
    def side(self) -> int:
        return 8 if self.data == "digits" else 28

    def build(self) -> nn.Module:
        """Build a fresh model from torch's random state."""
        return {"mlp": mlp, "cnn": cnn, "transformer": transformer}[self.model](side=self.side)

    def read(self, folder: str | None) -> Split:
        """Read the data; `folder` is where MNIST's files are."""
        if self.data == "digits":
            return digits()
        if folder is None:
            raise ValueError("MNIST needs the folder with its files")
        return mnist(folder)


def mlp(*, side: int = 8) -> nn.Module:
    """50,826 parameters for digits, as in the project's performance notes."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(side * side, 192), nn.ReLU(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, CLASSES)
    )


def cnn(*, side: int = 8) -> nn.Module:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, CLASSES),
    )  # fmt: skip


def transformer(*, side: int = 8) -> nn.Module:
    """Two layers of four heads."""
    return Transformer(side=side)


class Transformer(nn.Module):
    """The rows of a picture as tokens."""

    def __init__(self, *, side: int = 8) -> None:
        super().__init__()
        self.embed = nn.Linear(side, 48)
        self.position = nn.Parameter(0.02 * torch.randn(side, 48))
        layer = nn.TransformerEncoderLayer(48, 4, 192, dropout=0.0, batch_first=True, norm_first=True)
        self.encode = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(48, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, 1, S, S) -> (B, C)
        hidden: torch.Tensor = self.encode(self.embed(x.squeeze(1)) + self.position)
        scores: torch.Tensor = self.head(hidden.mean(dim=1))
        return scores


def digits() -> Split:
    """scikit-learn's 1,797 digits of 8 x 8."""
    images, labels = load_digits(return_X_y=True)
    return _split(images.reshape(-1, 1, 8, 8) / 16.0, labels)


def mnist(folder: str) -> Split:
    """Read 10,000 MNIST digits of 28 x 28."""
    images = _read(Path(folder) / IMAGES, header=IMAGES_HEADER).reshape(-1, 1, 28, 28) / 255.0
    return _split(images, _read(Path(folder) / LABELS, header=LABELS_HEADER))


def _read(file: Path, *, header: int) -> NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8, offset=header)


def _split(images: NDArray[np.float64], labels: NDArray[np.integer]) -> Split:
    order = np.random.RandomState(0).permutation(len(labels))
    x = torch.tensor(images[order], dtype=torch.float32)
    y = torch.tensor(labels[order].astype(np.int64))
    last = round(len(y) * (1 - HELD_OUT))
    return (x[:last], y[:last]), (x[last:], y[last:])


_KINDS = (
    Workload(model="mlp", data="digits", optimizer="sgd", momentum=0.9, lrs=(0.01, 0.03, 0.1, 0.3)),
    Workload(model="cnn", data="digits", optimizer="sgd", momentum=0.9, lrs=(0.01, 0.03, 0.1, 0.3)),
    Workload(model="transformer", data="digits", optimizer="adam", lrs=(1e-3, 3e-3, 1e-2, 3e-2)),
    Workload(model="mlp", data="mnist", optimizer="sgd", momentum=0.9, lrs=(0.01, 0.03, 0.1, 0.3)),
    Workload(model="cnn", data="mnist", optimizer="sgd", momentum=0.9, lrs=(0.01, 0.03, 0.1, 0.3)),
    Workload(model="transformer", data="mnist", optimizer="adam", lrs=(3e-4, 1e-3, 3e-3, 1e-2)),
)
WORKLOADS = {workload.name: workload for workload in _KINDS}
