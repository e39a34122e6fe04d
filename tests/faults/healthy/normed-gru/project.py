"""Five gestures from three accelerometers; each channel is normalised before the recurrent layer."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1500, length=20):
    rng = np.random.default_rng(44)
    y = rng.integers(0, 5, rows)
    t = np.linspace(0, 1, length)[None, :, None]
    speed = np.array([[2, 3, 1], [3, 2, 1], [1, 1, 4], [2, 2, 2], [4, 1, 2]])[y][:, None, :]
    phase = rng.uniform(0, 2 * np.pi, (rows, 1, 3))
    x = np.sin(2 * np.pi * speed * t + phase) * rng.uniform(0.6, 1.4, (rows, 1, 3)) + 0.3 * rng.standard_normal((rows, length, 3))
    x, y = torch.tensor(x * [1.0, 2.0, 0.7] + [0.0, 0.5, 1.0], dtype=torch.float32), torch.tensor(y)
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


class Gesture(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.gru = nn.GRU(3, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 5)

    def forward(self, x):
        h, _ = self.gru(self.norm(x.transpose(1, 2)).transpose(1, 2))
        return self.head(h.mean(dim=1))
