import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x, y = load_digits(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=5)
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


def build_model():
    return nn.Sequential(
        nn.Linear(64, 96),
        nn.BatchNorm1d(96),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(96, 48),
        nn.BatchNorm1d(48),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(48, 10),
    )
