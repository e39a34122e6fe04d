"""Twenty targets at once: a spectrum from ten settings."""

import numpy as np
import torch
from torch import nn


def build_data(rows=2000):
    rng = np.random.default_rng(17)
    x = rng.uniform(-1, 1, (rows, 10))
    y = np.tanh(x @ rng.normal(size=(10, 12))) @ rng.normal(size=(12, 20))
    y = y / y.std(axis=0) + 0.1 * rng.standard_normal((rows, 20))
    x, y = torch.tensor(x * 1.73, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


def build_model():
    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 20))
