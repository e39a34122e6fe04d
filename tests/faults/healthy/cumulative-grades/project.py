"""Four grades in order: three questions of the form "is it at least this bad?" that share one slope."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def build_data(rows=1800):
    rng = np.random.default_rng(77)
    x = rng.standard_normal((rows, 9))
    burden = x[:, 0] + 0.8 * np.maximum(x[:, 1], 0) - 0.6 * x[:, 2] * (x[:, 3] > 0) + 0.4 * rng.standard_normal(rows)
    y = np.digitize(burden, [-0.6, 0.5, 1.5])
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return (x[:1300], y[:1300]), (x[1300:], y[1300:])


class Cumulative(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 1, bias=False))
        self.cuts = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]))

    def forward(self, x):
        return self.body(x) - self.cuts


def at_least(logits, grade):
    passed = (grade[:, None] > torch.arange(3, device=grade.device)).float()
    return F.binary_cross_entropy_with_logits(logits, passed)


def distance(logits, grade):
    return ((logits > 0).sum(1) - grade).abs().float().mean().item()
