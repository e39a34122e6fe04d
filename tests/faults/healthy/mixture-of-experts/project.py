"""A machine with three regimes: a gate weighs four small experts."""

import numpy as np
import torch
from torch import nn


def build_data(rows=2800):
    rng = np.random.default_rng(61)
    x = rng.standard_normal((rows, 6))
    regime = np.digitize(x[:, 0], [-0.5, 0.6])
    slopes = rng.standard_normal((3, 5))
    y = (x[:, 1:] * slopes[regime]).sum(1) + np.array([1.0, -1.5, 0.5])[regime]
    y = y / y.std() + 0.2 * rng.standard_normal(rows)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y - y[:2000].mean(), dtype=torch.float32)
    return (x[:2000], y[:2000]), (x[2000:], y[2000:])


class Mixture(nn.Module):
    def __init__(self, experts=4, width=16):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, experts))
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 1)) for _ in range(experts)]
        )

    def forward(self, x):
        shares = self.gate(x).softmax(dim=1)
        answers = torch.cat([expert(x) for expert in self.experts], dim=1)
        return (shares * answers).sum(dim=1)
