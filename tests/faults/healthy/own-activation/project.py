"""An activation with a backward pass of its own, which keeps only its input."""

import torch
from sklearn.datasets import make_moons
from torch import nn


class SwishFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s + x * s * (1 - s))


class Swish(nn.Module):
    def forward(self, x):
        return SwishFunction.apply(x)


def build_data():
    x, y = make_moons(1500, noise=0.2, random_state=3)
    x = (x - [0.5, 0.25]) / [0.87, 0.5]
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return (x[:1100], y[:1100]), (x[1100:], y[1100:])


class MoonNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 32), Swish(), nn.Linear(32, 32), Swish(), nn.Linear(32, 2))

    def forward(self, x):
        return self.net(x)
