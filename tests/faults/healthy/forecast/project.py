"""The next hour of a load curve, from the last 24; the future is held out."""

import numpy as np
import torch
from torch import nn


def build_data(hours=2200, window=24):
    rng = np.random.default_rng(3)
    t = np.arange(hours)
    level = np.sin(2 * np.pi * t / 24) + 0.4 * np.sin(2 * np.pi * t / 168) + 0.3 * np.sin(4 * np.pi * t / 24 + 1)
    noise = np.zeros(hours)
    for i in range(1, hours):
        noise[i] = 0.8 * noise[i - 1] + 0.15 * rng.standard_normal()
    series = level + noise
    x = np.stack([series[i : i + window] for i in range(hours - window)])
    y = series[window:]
    mean, std = series[:1700].mean(), series[:1700].std()
    x = torch.tensor((x - mean) / std, dtype=torch.float32)[:, None]
    y = torch.tensor((y - mean) / std, dtype=torch.float32)[:, None]
    return (x[:1700], y[:1700]), (x[1700:], y[1700:])


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv1d(16, 16, 5, padding=2), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Linear(16 * 24, 1)

    def forward(self, x):
        return self.head(self.conv(x))
