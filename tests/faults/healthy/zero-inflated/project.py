"""Visits to a doctor: most people never go, the others go a Poisson number of times."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def build_data(rows=2600):
    rng = np.random.default_rng(19)
    x = rng.standard_normal((rows, 7))
    goes = rng.random(rows) < 1 / (1 + np.exp(-(0.3 + 1.2 * x[:, 0] - 0.8 * x[:, 1])))
    y = goes * rng.poisson(np.exp(0.8 + 0.4 * x[:, 2] + 0.3 * np.abs(x[:, 3])))
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return (x[:1900], y[:1900]), (x[1900:], y[1900:])


class Visits(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(7, 32), nn.Tanh())
        self.stays, self.rate = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x):
        h = self.body(x)
        return torch.cat([self.stays(h), self.rate(h)], dim=1)


def zero_inflated_poisson(output, count):
    stays, log_rate = output.unbind(dim=1)
    rate = log_rate.exp()
    none = torch.logaddexp(F.logsigmoid(stays), F.logsigmoid(-stays) - rate)
    some = F.logsigmoid(-stays) + count * log_rate - rate - torch.lgamma(count + 1)
    return -torch.where(count == 0, none, some).mean()
