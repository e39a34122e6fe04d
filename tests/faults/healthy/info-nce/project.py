"""Two noisy views of one digit belong together; the other rows of the batch are the wrong answers."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset


def build_data():
    x = load_digits().data / 16
    train, val = train_test_split(x, test_size=0.25, random_state=0)
    return (
        TensorDataset(torch.tensor(train, dtype=torch.float32)),
        TensorDataset(torch.tensor(val, dtype=torch.float32)),
    )


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
        self.projection = nn.Linear(64, 32)

    def forward(self, x):
        return F.normalize(self.projection(self.body(x)), dim=1)


def view(x):
    keep = (torch.rand_like(x) > 0.3).float()
    return keep * x + 0.15 * torch.randn_like(x)


def info_nce(model, batch):
    (x,) = batch
    similarity = model(view(x)) @ model(view(x)).T / 0.2
    return F.cross_entropy(similarity, torch.arange(len(x), device=x.device))
