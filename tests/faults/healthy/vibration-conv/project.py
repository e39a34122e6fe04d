"""The state of a bearing, from windows of three acceleration channels."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

LENGTH, STATES = 96, 4


class Windows(Dataset):
    def __init__(self, rows, seed):
        rng = np.random.default_rng(seed)
        t = np.arange(LENGTH) / LENGTH
        self.y = rng.integers(0, STATES, rows)
        hum = np.sin(2 * np.pi * (6 * t + rng.random((rows, 3, 1))))
        beat = np.array([0, 9, 13, 17])[self.y][:, None, None]
        knock = np.exp(-12 * ((beat * t + rng.random((rows, 1, 1))) % 1)) * (beat > 0)
        x = hum + 1.2 * knock * rng.uniform(0.5, 1.2, (rows, 3, 1)) + 0.3 * rng.standard_normal((rows, 3, LENGTH))
        self.x = x.astype(np.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return torch.from_numpy(self.x[i]), int(self.y[i])


def build_data():
    return Windows(900, 5), Windows(400, 6)


def block(c_in, c_out):
    return nn.Sequential(
        nn.Conv1d(c_in, c_out, 7, padding=3, bias=False), nn.BatchNorm1d(c_out), nn.ReLU(), nn.MaxPool1d(2)
    )


class BearingNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(block(3, width), block(width, 2 * width), block(2 * width, 2 * width))
        self.head = nn.Linear(2 * width, STATES)

    def forward(self, x):
        return self.head(self.body(x).mean(dim=2))
