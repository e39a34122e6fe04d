"""A new head for a noisier scanner: the backbone is frozen, and its BatchNorm keeps the statistics that it was trained with."""

import functools

import torch
from sklearn.datasets import load_digits
from torch import nn


@functools.cache
def rows():
    digits = load_digits()
    x, y = torch.tensor(digits.images / 8 - 1, dtype=torch.float32)[:, None], torch.tensor(digits.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(14))
    return x[order], y[order]


def new_backbone():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1, bias=False),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 16, 48, bias=False),
        nn.BatchNorm1d(48),
        nn.ReLU(),
    )


@functools.cache
def pretrained():
    x, y = rows()
    x, y = x[:900], y[:900]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone, head = new_backbone(), nn.Linear(48, 10)
        optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=0.003)
        for _ in range(250):
            chosen = torch.randint(0, len(x), (64,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(backbone(x[chosen])), y[chosen]).backward()
            optimizer.step()
    return {name: value.clone() for name, value in backbone.state_dict().items()}


def build_data():
    x, y = rows()
    x = x + 0.4 * torch.randn(x.shape, generator=torch.Generator().manual_seed(15))
    return (x[900:1400], y[900:1400]), (x[1400:], y[1400:])


class Scanner(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = new_backbone()
        self.backbone.load_state_dict(pretrained())
        self.backbone.requires_grad_(False).eval()
        self.head = nn.Linear(48, 10)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.backbone(x))
