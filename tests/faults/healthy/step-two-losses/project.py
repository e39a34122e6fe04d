"""Two tasks on one trunk: the digit, and how much ink it took."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset


def build_data():
    x, y = load_digits(return_X_y=True)
    x = x / 16
    ink = (x.sum(axis=1) - 19.5) / 3.2
    rows = train_test_split(x, y, ink, test_size=0.25, stratify=y, random_state=0)
    x_train, x_val, y_train, y_val, ink_train, ink_val = rows
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return (
        TensorDataset(t(x_train), torch.tensor(y_train), t(ink_train)),
        TensorDataset(t(x_val), torch.tensor(y_val), t(ink_val)),
    )


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.digit = nn.Linear(32, 10)
        self.ink = nn.Linear(32, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.digit(h), self.ink(h).squeeze(1)


def training_step(model, batch):
    x, digit, ink = batch
    logits, amount = model(x)
    return F.cross_entropy(logits, digit) + 0.5 * F.mse_loss(amount, ink)
