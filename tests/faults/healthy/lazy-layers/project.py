"""Four textures, 12 x 12 pixels. The layers find out their input's width themselves."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1500, size=12):
    rng = np.random.default_rng(33)
    y = rng.integers(0, 4, rows)
    i, j = np.mgrid[:size, :size]
    phase = rng.uniform(0, 2 * np.pi, (rows, 1, 1))
    waves = [np.sin(1.6 * i + phase), np.sin(1.6 * j + phase), np.sin(1.1 * (i + j) + phase), np.sin(1.1 * (i - j) + phase)]
    x = np.choose(y[:, None, None], waves) + 0.9 * rng.standard_normal((rows, size, size))
    x, y = torch.tensor(x[:, None], dtype=torch.float32), torch.tensor(y)
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


def build_model():
    return nn.Sequential(
        nn.LazyConv2d(12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.LazyConv2d(24, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(4),
    )
