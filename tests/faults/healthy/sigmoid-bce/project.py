"""A probability out, and a loss that takes one; half of the wide hidden layer is dropped."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.3, stratify=y, random_state=2)
    mean, std = x_train.mean(0), x_train.std(0)
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    target = lambda a: torch.tensor(a, dtype=torch.float32)[:, None]
    return (t(x_train), target(y_train)), (t(x_val), target(y_val))


def build_model():
    return nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 1), nn.Sigmoid())
