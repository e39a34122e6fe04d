"""Pairs of digits: close together when they are the same, a margin apart when not."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

MARGIN = 1.0


def pairs(x, y, count, rng):
    left = rng.integers(0, len(x), count)
    right = rng.integers(0, len(x), count)
    for row in range(0, count, 2):
        right[row] = rng.choice(np.flatnonzero(y == y[left[row]]))
    same = torch.tensor((y[left] == y[right]).astype(np.float32))
    return TensorDataset(x[left], x[right], same)


def build_data():
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    x, y = torch.tensor(x[order] / 16, dtype=torch.float32), y[order]
    return pairs(x[:1300], y[:1300], 3000, rng), pairs(x[1300:], y[1300:], 1000, rng)


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))

    def forward(self, x):
        return self.net(x)


def contrastive_step(model, batch):
    left, right, same = batch
    distance = (model(left) - model(right)).pow(2).sum(1).add(1e-8).sqrt()
    return (same * distance.pow(2) + (1 - same) * F.relu(MARGIN - distance).pow(2)).mean()


@torch.no_grad()
def evaluate(model, batches):
    model.eval()
    right_answers = rows = 0
    for left, right, same in batches:
        distance = (model(left) - model(right)).norm(dim=1)
        right_answers += ((distance < MARGIN / 2) == (same > 0.5)).sum().item()
        rows += len(same)
    return {"accuracy": right_answers / rows}
