"""What a basket weighs: a sum over its items, of which there are one to twelve; empty places do not count."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

ITEMS, FEATURES = 12, 5


class Baskets(Dataset):
    def __init__(self, rows, seed):
        rng = np.random.default_rng(seed)
        there = np.arange(ITEMS)[None] < rng.integers(1, ITEMS + 1, rows)[:, None]
        items = rng.standard_normal((rows, ITEMS, FEATURES)) * there[..., None]
        each = np.abs(items[..., 0]) + np.maximum(items[..., 1], items[..., 2]) + 0.3
        weight = (each * there).sum(1) + 0.2 * rng.standard_normal(rows)
        self.items, self.there = items.astype(np.float32), there.astype(np.float32)
        self.weight = ((weight - 9.5) / 5.7).astype(np.float32)

    def __len__(self):
        return len(self.weight)

    def __getitem__(self, i):
        return {"items": self.items[i], "there": self.there[i]}, self.weight[i : i + 1]


def build_data():
    return Baskets(1500, 1), Baskets(500, 2)


class DeepSets(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.each = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.all = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, items, there):
        return self.all((self.each(items) * there[..., None]).sum(dim=1) / ITEMS)
