"""Low-rank adapters on a pretrained digit classifier that has never seen the new, mirrored digits."""

import functools

import torch
from sklearn.datasets import load_digits
from torch import nn


def digits():
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    return torch.tensor(x / 16, dtype=torch.float32)[order], torch.tensor(y)[order]


def base():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@functools.cache
def pretrained():
    x, y = digits()
    x, y = x[:700], y[:700]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = base()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
        for _ in range(300):
            rows = torch.randint(0, len(x), (64,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return {name: value.clone() for name, value in model.state_dict().items()}


class Adapted(nn.Module):
    def __init__(self, linear, rank=8):
        super().__init__()
        self.linear = linear
        self.a = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x):
        return self.linear(x) + x @ self.a.T @ self.b.T


def build_data():
    x, y = digits()
    x = x.view(-1, 8, 8).flip(2).flatten(1)
    return (x[700:1400], y[700:1400]), (x[1400:], y[1400:])


def build_model():
    model = base()
    model.load_state_dict(pretrained())
    for parameter in model.parameters():
        parameter.requires_grad = False
    for place in (0, 2, 4):
        model[place] = Adapted(model[place])
    return model
