"""Six layers whose weights are split into length and direction."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


def build_data(rows=2600):
    rng = np.random.default_rng(15)
    x = rng.standard_normal((rows, 6))
    angle = np.arctan2(x[:, 0] + 0.3 * x[:, 2], x[:, 1]) + 0.6 * np.hypot(x[:, 0], x[:, 1])
    y = np.floor((angle % (2 * np.pi)) / (2 * np.pi) * 5).astype(np.int64)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return (x[:2000], y[:2000]), (x[2000:], y[2000:])


def layer(n_in, n_out):
    linear = nn.Linear(n_in, n_out)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
    return weight_norm(linear)


def build_model(width=48, depth=5):
    layers = []
    for n_in in [6] + [width] * (depth - 1):
        layers += [layer(n_in, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 5))
