"""One to five stars, as a number: the distance counts."""

import numpy as np
import torch
from torch import nn


def build_data(rows=2000):
    rng = np.random.default_rng(9)
    x = rng.standard_normal((rows, 10))
    liking = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.5 * x[:, 2] * x[:, 3] + 0.4 * rng.standard_normal(rows)
    stars = np.clip(np.round(3 + liking), 1, 5)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(stars - 3, dtype=torch.float32)[:, None]
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


def build_model():
    return nn.Sequential(nn.Linear(10, 32), nn.LeakyReLU(0.1), nn.Linear(32, 1))
