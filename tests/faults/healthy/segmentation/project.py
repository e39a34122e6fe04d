"""Each pixel is background, disc or square: a small U-Net."""

import numpy as np
import torch
from torch import nn


def build_data(rows=400, size=16):
    rng = np.random.default_rng(4)
    grid = np.mgrid[:size, :size]
    x = np.zeros((rows, 1, size, size), dtype=np.float32)
    y = np.zeros((rows, size, size), dtype=np.int64)
    for row in range(rows):
        for kind in (1, 2):
            centre = rng.uniform(3, size - 3, 2)[:, None, None]
            away = np.abs(grid - centre)
            inside = (away**2).sum(0) < 9 if kind == 1 else away.max(0) < 2.5
            y[row][inside] = kind
    x[:, 0] = np.choose(y, [-0.5, 0.4, 1.2]) + 0.4 * rng.standard_normal(y.shape)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    return (x[:320], y[:320]), (x[320:], y[320:])


def block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.GroupNorm(4, c_out), nn.ReLU())


class TinyUNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down = block(1, width)
        self.pool = nn.MaxPool2d(2)
        self.middle = block(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.merge = block(2 * width, width)
        self.head = nn.Conv2d(width, 3, 1)

    def forward(self, x):
        skip = self.down(x)
        deep = self.up(self.middle(self.pool(skip)))
        return self.head(self.merge(torch.cat([skip, deep], dim=1)))
