"""Digits on a network whose weights are bfloat16 themselves; the answers go back to float32 for the loss."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    digits = load_digits()
    x_train, x_val, y_train, y_val = train_test_split(
        digits.images[:, None], digits.target, test_size=0.25, stratify=digits.target, random_state=11
    )
    t = lambda a: torch.tensor((a - x_train.mean()) / x_train.std(), dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


class HalfNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 96), nn.GELU(), nn.LayerNorm(96), nn.Linear(96, 96), nn.GELU())
        self.head = nn.Linear(96, 10)

    def forward(self, x):
        return self.head(self.body(x.to(torch.bfloat16))).float()


def build_model():
    return HalfNet().to(torch.bfloat16)
