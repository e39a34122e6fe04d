"""Machines of an old plant taught the body of this network; 240 rows of a new one tune it, the body slower than the head."""

import functools

import torch
from torch import nn

SENSORS, HIDDEN, CLASSES = 12, 6, 4


@functools.cache
def world():
    draw = torch.Generator().manual_seed(70)
    return torch.randn(SENSORS, HIDDEN, generator=draw) / 2.5, torch.randn(HIDDEN, 40, generator=draw) / 1.5


def states(x):
    inner, outer = world()
    return torch.tanh(torch.sin(x @ inner) @ outer)


def build_data():
    draw = torch.Generator().manual_seed(71)
    x = torch.randn(840, SENSORS, generator=draw)
    score = states(x)[:, :8] @ torch.randn(8, CLASSES, generator=draw)
    y = (score + 0.05 * torch.randn(score.shape, generator=draw)).argmax(1)
    return (x[:240], y[:240]), (x[240:], y[240:])


def new_body():
    return nn.Sequential(nn.Linear(SENSORS, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU())


@functools.cache
def pretrained():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(20_000, SENSORS)
        y = states(x)
        body, head = new_body(), nn.Linear(64, 40)
        optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.003)
        for _ in range(1200):
            rows = torch.randint(0, len(x), (128,))
            optimizer.zero_grad()
            nn.functional.mse_loss(head(body(x[rows])), y[rows]).backward()
            optimizer.step()
    return {name: value.clone() for name, value in body.state_dict().items()}


class Plant(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = new_body()
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x):
        return self.head(self.body(x))


def build_model():
    model = Plant()
    model.body.load_state_dict(pretrained())
    return model
