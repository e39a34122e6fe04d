"""240 patients, of whom 40 are held out; one answer in six is a coin's."""

import numpy as np
import torch
from torch import nn


def build_data():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((240, 6))
    y = (x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2] > 0).astype(np.int64)
    coin = rng.random(240) < 1 / 6
    y[coin] = rng.integers(0, 2, coin.sum())
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return (x[:200], y[:200]), (x[200:], y[200:])


def build_model():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
