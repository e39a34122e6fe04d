"""Rare digits are drawn more often, and every draw gets noise of its own."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


class Noisy(Dataset):
    def __init__(self, x, y, noise):
        self.x, self.y, self.noise = x, y, noise

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i] + self.noise * torch.randn(1, 8, 8), self.y[i]


def build_data(noise=0.1):
    digits = load_digits()
    keep = (digits.target < 7) | (np.random.default_rng(0).random(len(digits.target)) < 0.4)
    x = torch.tensor(digits.images[keep][:, None] / 16, dtype=torch.float32)
    y = torch.tensor(digits.target[keep])
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
    weights = 1 / torch.bincount(y_train).float()
    sampler = WeightedRandomSampler(weights[y_train], len(y_train))
    return (
        DataLoader(Noisy(x_train, y_train, noise), batch_size=32, sampler=sampler),
        DataLoader(TensorDataset(x_val, y_val), batch_size=128),
    )


def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 10),
    )
