"""The 10 %, 50 % and 90 % quantiles of a noisy quantity, by the pinball loss."""

import numpy as np
import torch
from torch import nn

QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def build_data(rows=2400):
    rng = np.random.default_rng(31)
    x = rng.standard_normal((rows, 5))
    y = 0.8 * x[:, 0] + 0.5 * np.abs(x[:, 1]) + 0.4 * np.exp(0.4 * x[:, 2]) * rng.standard_normal(rows)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None]
    return (x[:1800], y[:1800]), (x[1800:], y[1800:])


def pinball(output, target):
    error = target - output
    q = QUANTILES.to(output.device)
    return torch.maximum(q * error, (q - 1) * error).mean()


def build_model():
    return nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 3))
