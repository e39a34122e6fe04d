"""Depthwise-separable convolutions, with label smoothing."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    digits = load_digits()
    x_train, x_val, y_train, y_val = train_test_split(
        digits.images[:, None], digits.target, test_size=0.3, stratify=digits.target, random_state=2
    )
    mean, std = x_train.mean(), x_train.std()
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


def separable(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_in, 3, padding=1, groups=c_in, bias=False),
        nn.Conv2d(c_in, c_out, 1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.SiLU(),
    )


def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.SiLU(),
        separable(16, 32),
        nn.MaxPool2d(2),
        separable(32, 48),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48 * 4, 10),
    )
