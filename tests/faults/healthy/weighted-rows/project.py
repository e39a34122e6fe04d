"""A survey: each answer stands for more or fewer people, and counts as much. The weight travels beside the target."""

import numpy as np
import torch
from torch import nn


def build_data(rows=1600):
    rng = np.random.default_rng(66)
    x = rng.standard_normal((rows, 7))
    y = x[:, 0] - 0.6 * x[:, 1] + 0.8 * np.maximum(x[:, 2], 0) * x[:, 3] + 0.4 * rng.standard_normal(rows)
    y = (y - y[:1200].mean()) / y[:1200].std()
    people = np.exp(0.6 * rng.standard_normal(rows) + 0.4 * x[:, 4])
    people = people / people[:1200].mean()
    x = torch.tensor(x, dtype=torch.float32)
    targets = torch.tensor(np.stack([y, people], axis=1), dtype=torch.float32)
    return (x[:1200], targets[:1200]), (x[1200:], targets[1200:])


def build_model():
    return nn.Sequential(nn.Linear(7, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1))


def weighted_squares(outputs, targets):
    y, people = targets[:, :1], targets[:, 1:]
    return (people * (outputs - y).square()).mean()


def weighted_error(outputs, targets):
    y, people = targets[:, :1], targets[:, 1:]
    return float((people * (outputs - y).abs()).sum() / people.sum())
