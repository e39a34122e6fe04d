"""A score that cannot change faster than its inputs: every layer's largest singular value is held at one."""

import torch
from sklearn.datasets import make_gaussian_quantiles
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def build_data():
    x, y = make_gaussian_quantiles(n_samples=2000, n_features=3, n_classes=2, random_state=21)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


def build_model():
    return nn.Sequential(
        spectral_norm(nn.Linear(3, 64)),
        nn.ReLU(),
        spectral_norm(nn.Linear(64, 64)),
        nn.ReLU(),
        nn.Linear(64, 1),
    )
