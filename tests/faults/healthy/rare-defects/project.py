"""One part in thirty is defective; the sampler draws good and bad ones equally often."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


def parts(rows, seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 1 / 30).astype(np.int64)
    x = rng.standard_normal((rows, 10))
    x[:, 0] += 1.3 * y
    x[:, 1] -= 1.1 * y
    x[:, 2] *= 1 + 1.5 * y
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def build_data():
    x, y = parts(5000, 1)
    weights = 1 / torch.bincount(y).float()
    sampler = WeightedRandomSampler(weights[y], len(y))
    return (
        DataLoader(TensorDataset(x, y), batch_size=64, sampler=sampler),
        DataLoader(TensorDataset(*parts(3000, 2)), batch_size=500),
    )


def build_model():
    return nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 2))
