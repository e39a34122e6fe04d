"""Did the spike come before the dip? Convolutions over time with growing gaps, on traces of 64 samples."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1600, length=64):
    rng = np.random.default_rng(23)
    x = 0.3 * rng.standard_normal((rows, length))
    first = rng.integers(4, 26, rows)
    second = first + rng.integers(10, 28, rows)
    y = rng.integers(0, 2, rows)
    shape = np.hanning(7)
    for row in range(rows):
        up, down = (first[row], second[row]) if y[row] else (second[row], first[row])
        x[row, up : up + 7] += 1.2 * shape
        x[row, down : down + 7] -= 1.2 * shape
    x = torch.tensor(x / x.std(), dtype=torch.float32)[:, None]
    y = torch.tensor(y, dtype=torch.float32)[:, None]
    return (x[:1200], y[:1200]), (x[1200:], y[1200:])


class Trace(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        layers, before = [], 1
        for gap in (1, 2, 4, 8, 16):
            layers += [nn.Conv1d(before, width, 3, padding=gap, dilation=gap), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.layers(x).mean(dim=2))
