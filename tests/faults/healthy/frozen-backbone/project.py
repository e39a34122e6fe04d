"""A new head on a frozen backbone that was trained on another half of the digits."""

import functools

import torch
from sklearn.datasets import load_digits
from torch import nn


def halves():
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
    return x[order], y[order]


def new_backbone():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU())


@functools.cache
def pretrained():
    x, y = halves()
    x, y = x[:800], y[:800] % 2 * 5 + y[:800] // 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone, head = new_backbone(), nn.Linear(48, 10)
        optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=0.003)
        for step in range(400):
            rows = torch.randint(0, len(x), (64,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(backbone(x[rows])), y[rows]).backward()
            optimizer.step()
    return {name: value.clone() for name, value in backbone.state_dict().items()}


def build_data():
    x, y = halves()
    return (x[800:1400], y[800:1400]), (x[1400:], y[1400:])


def build_model():
    backbone = new_backbone()
    backbone.load_state_dict(pretrained())
    for parameter in backbone.parameters():
        parameter.requires_grad = False
    head = nn.Linear(48, 10)
    nn.init.normal_(head.weight, std=0.01)
    return nn.Sequential(backbone, head)
