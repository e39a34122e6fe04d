"""Which shape do 40 points lie on? Order does not matter."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1200, points=40):
    rng = np.random.default_rng(6)
    y = rng.integers(0, 3, rows)
    angle = rng.uniform(0, 2 * np.pi, (rows, points))
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    square = circle / np.abs(circle).max(-1, keepdims=True)
    cross = np.where(rng.random((rows, points, 1)) < 0.5, [1.0, 0.0], [0.0, 1.0]) * rng.uniform(
        -1.2, 1.2, (rows, points, 1)
    )
    x = np.select([(y == k)[:, None, None] for k in range(3)], [circle, square, cross])
    x = x + 0.08 * rng.standard_normal(x.shape)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return (x[:900], y[:900]), (x[900:], y[900:])


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.each = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 48), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x):
        return self.head(self.each(x).amax(dim=1))
