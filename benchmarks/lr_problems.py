"""Which small trainings is a proposed learning rate tried on? Eight that need no files, and three more with real ones.

Each is what a user would have: a model, (train, validation), a loss, an optimizer with a usual learning rate. The lr
that is best differs by a factor of a hundred between them. This file is itself the user's project: its functions are
named in the specs.
"""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn

from benchmarks import workloads
from benchmarks.reporting import DATA_VARIABLE
from benchmarks.workloads import IMAGES, LABELS, Split, Transformer, cnn, digits, mlp

VALIDATION_SHARE = 0.2
HOUSES, PLAYS = "california-housing.csv.gz", "tinyshakespeare.txt.gz"
FILES = (IMAGES, LABELS, HOUSES, PLAYS)
CONTEXT = 32  # characters
DISTRICTS, CHARACTERS = 8_000, 60_000  # of the real files: an epoch takes a second
USUAL_LR = {"sgd": 1e-2, "adam": 1e-3}  # what tutorials write; no tool is told which lr is good
MOMENTUM = 0.9


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One training, as `diagnose.yaml` and as the bare loop know it."""

    name: str
    model: Callable[[], nn.Module]
    data: Callable[[], Split]
    loss: str  # of torch.nn.functional
    optimizer: str
    batch: int = 64
    epochs: int = 10  # of the run that the lr is for: what the product assumes when nothing is said

    @property
    def usual_lr(self) -> float:
        """The lr that stands in the user's program."""
        return USUAL_LR[self.optimizer]

    def loss_of(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch; tokens are flattened."""
        if output.ndim == 3 and not target.is_floating_point():
            output, target = output.flatten(0, 1), target.flatten()  # (B, T, V) -> (B*T, V)
        value: Tensor = getattr(F, self.loss)(output, target)
        return value

    def build_optimizer(self, model: nn.Module, *, lr: float) -> torch.optim.Optimizer:
        """Build the optimizer as the user would: torch's defaults."""
        if self.optimizer == "sgd":
            return torch.optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM)
        return torch.optim.Adam(model.parameters(), lr=lr)

    def mapping(self) -> dict[str, object]:
        """Write the spec, its factories found in this file."""
        momentum = {"momentum": MOMENTUM} if self.optimizer == "sgd" else {}
        return {
            "name": self.name,
            "model": f"lr_problems:{self.model.__name__}",
            "data": {"factory": f"lr_problems:{self.data.__name__}", "batch_size": self.batch},
            "loss": self.loss,
            "optimizer": {"name": self.optimizer, "lr": self.usual_lr, **momentum},
            "epochs": self.epochs,
            "device": "cpu",
        }


# -- models -----------------------------------------------------------------------------------------------------------


def cnn_with_batch_norm() -> nn.Module:
    """Two convolutions with BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


def autoencoder() -> nn.Module:
    """64 pixels through 16 numbers."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 128), nn.ReLU(),
        nn.Linear(128, 64), nn.Unflatten(1, (1, 8, 8)),
    )  # fmt: skip


def friedman_mlp() -> nn.Module:
    """Perceptron for ten numbers."""
    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))


def housing_mlp() -> nn.Module:
    """Perceptron for the eight numbers of a district."""
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))


def mnist_cnn() -> nn.Module:
    """Two convolutions for 28 x 28 pictures."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(576, 10),
    )  # fmt: skip


class CharacterGru(nn.Module):
    """Predicts the next character at each place."""

    def __init__(self, characters: int = 128) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, 32)
        self.recur = nn.GRU(32, 64, batch_first=True)
        self.head = nn.Linear(64, characters)

    def forward(self, x: Tensor) -> Tensor:  # (B, T) -> (B, T, V)
        scores: Tensor = self.head(self.recur(self.embed(x))[0])
        return scores


# -- data -------------------------------------------------------------------------------------------------------------


def digits_to_themselves() -> Split:
    """The same pictures, standardised, as input and as target."""
    (train, _), (validation, _) = digits()
    mean, spread = train.mean(), train.std()
    train, validation = (train - mean) / spread, (validation - mean) / spread
    return (train, train), (validation, validation)


def friedman() -> Split:
    """Friedman's first function of ten numbers, five of them noise; target standardised."""
    inputs, target = datasets.make_friedman1(n_samples=2_500, noise=1.0, random_state=0)
    return _split(_float(inputs), _standardised(_float(target)).unsqueeze(1))


def descriptions() -> Split:
    """Read the text that scikit-learn brings along about its data, as pieces of 32 characters."""
    loaders = (
        datasets.load_breast_cancer, datasets.load_diabetes, datasets.load_digits, datasets.load_iris,
        datasets.load_linnerud, datasets.load_wine,
    )  # fmt: skip
    return _characters("\n".join(str(load().DESCR) for load in loaders))


def shakespeare() -> Split:
    """The first part of tinyshakespeare, as pieces of 32 characters."""
    with gzip.open(_folder() / PLAYS, "rt", encoding="utf-8") as file:
        return _characters(file.read(CHARACTERS))


def housing() -> Split:
    """California housing, standardised inputs and target."""
    with gzip.open(_folder() / HOUSES, "rt", encoding="utf-8") as file:
        table = np.genfromtxt(file, delimiter=",", skip_header=1, usecols=range(9))
    table = table[np.isfinite(table).all(axis=1)]
    table = table[np.random.default_rng(0).permutation(len(table))[:DISTRICTS]]
    columns = _standardised(_float(table))
    return _split(columns[:, :8], columns[:, 8:9])


def mnist() -> Split:
    """MNIST's 10,000 test digits."""
    return workloads.mnist(os.environ[DATA_VARIABLE])


def _folder() -> Path:
    return Path(os.environ[DATA_VARIABLE])


def _float(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Tensor:
    return torch.from_numpy(values).float()


def _standardised(values: Tensor) -> Tensor:
    return (values - values.mean(0)) / values.std(0)


def _characters(text: str) -> Split:
    codes = torch.tensor([min(ord(letter), 127) for letter in text])
    pieces = (len(codes) - 1) // CONTEXT
    inputs = codes[: pieces * CONTEXT].view(pieces, CONTEXT)
    return _split(inputs, codes[1 : pieces * CONTEXT + 1].view(pieces, CONTEXT))


def _split(inputs: Tensor, targets: Tensor) -> Split:
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    first = int(VALIDATION_SHARE * len(order))
    return (inputs[order[first:]], targets[order[first:]]), (inputs[order[:first]], targets[order[:first]])


PROBLEMS = (
    Problem(name="digits mlp, sgd", model=mlp, data=digits, loss="cross_entropy", optimizer="sgd"),
    Problem(name="digits mlp, adam", model=mlp, data=digits, loss="cross_entropy", optimizer="adam"),
    Problem(name="digits cnn, sgd", model=cnn, data=digits, loss="cross_entropy", optimizer="sgd"),
    Problem(name="digits cnn+bn, adam", model=cnn_with_batch_norm, data=digits, loss="cross_entropy", optimizer="adam"),
    Problem(name="digits transformer, adam", model=Transformer, data=digits, loss="cross_entropy", optimizer="adam"),
    Problem(name="autoencoder, adam", model=autoencoder, data=digits_to_themselves, loss="mse_loss", optimizer="adam"),
    Problem(name="friedman mlp, sgd", model=friedman_mlp, data=friedman, loss="mse_loss", optimizer="sgd", batch=32),
    Problem(
        name="characters gru, adam", model=CharacterGru, data=descriptions, loss="cross_entropy", optimizer="adam",
        batch=16,
    ),
)  # fmt: skip

WITH_FILES = (
    Problem(name="mnist cnn, sgd", model=mnist_cnn, data=mnist, loss="cross_entropy", optimizer="sgd", epochs=5),
    Problem(name="housing mlp, adam", model=housing_mlp, data=housing, loss="mse_loss", optimizer="adam"),
    Problem(name="shakespeare gru, sgd", model=CharacterGru, data=shakespeare, loss="cross_entropy", optimizer="sgd",
            batch=32, epochs=5),
)  # fmt: skip
"""Held out: no rule was looked at with them before it was chosen."""
