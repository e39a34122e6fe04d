"""A perceptron on scikit-learn's digits, as wide as is asked for: the user's program of `benchmarks/growth.py`."""

import torch
from sklearn.datasets import load_digits
from torch import nn

TRAINING_ROWS = 1_438


def build_data() -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Give 64 pixels a row, in 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    first, rest = order[:TRAINING_ROWS], order[TRAINING_ROWS:]
    return (x[first], y[first]), (x[rest], y[rest])


def build_model(width: int) -> nn.Module:
    """Two hidden layers: width² + 76 width + 10 parameters."""
    return nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )  # fmt: skip
