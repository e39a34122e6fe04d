"""Which of four wave forms is it? Noisy sequences of 24 samples at a random phase."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1500, length=24):
    rng = np.random.default_rng(7)
    y = rng.integers(0, 4, rows)
    t = np.arange(length)[None, :] / length * 2 * np.pi * rng.uniform(1.5, 2.5, (rows, 1)) + rng.uniform(
        0, 2 * np.pi, (rows, 1)
    )
    forms = [np.sin(t), np.sign(np.sin(t)), ((t / np.pi) % 2) - 1, np.sin(t) * np.sin(3 * t)]
    x = np.choose(y[:, None], forms) + 0.15 * rng.standard_normal((rows, length))
    x, y = torch.tensor(x[..., None], dtype=torch.float32), torch.tensor(y)
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


class WaveGRU(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 4)

    def forward(self, x):
        _, last = self.gru(x)
        return self.head(last[-1])
