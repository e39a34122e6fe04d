"""A slide of twelve cells is positive when at least one of them is; a learned weight finds which."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1500, cells=12):
    rng = np.random.default_rng(66)
    y = rng.integers(0, 2, rows)
    x = rng.standard_normal((rows, cells, 6))
    count = rng.integers(1, 4, rows)
    for row in np.flatnonzero(y):
        x[row, : count[row]] += np.array([1.6, -1.6, 1.2, 0, 0, 0])
    for cell in x:
        rng.shuffle(cell)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


class BagNet(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.cell = nn.Sequential(nn.Linear(6, width), nn.ReLU())
        self.weight = nn.Sequential(nn.Linear(width, 16), nn.Tanh(), nn.Linear(16, 1))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        h = self.cell(x)
        share = self.weight(h).softmax(dim=1)
        return self.head((share * h).sum(dim=1)).squeeze(1)
