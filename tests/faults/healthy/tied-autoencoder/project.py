"""Forty sensors that follow six hidden causes; the decoder is the encoder's weight the other way round."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def build_data(rows=1300):
    rng = np.random.default_rng(62)
    causes = rng.standard_normal((rows, 6))
    x = np.tanh(causes @ rng.standard_normal((6, 40)) / 2) + 0.1 * rng.standard_normal((rows, 40))
    x = torch.tensor((x - x[:1000].mean(0)) / x[:1000].std(0), dtype=torch.float32)
    return (x[:1000], x[:1000]), (x[1000:], x[1000:])


class TiedAutoencoder(nn.Module):
    def __init__(self, inputs=40, hidden=32, code=8):
        super().__init__()
        self.first = nn.Parameter(torch.empty(hidden, inputs))
        self.second = nn.Parameter(torch.empty(code, hidden))
        self.biases = nn.ParameterList([torch.zeros(n) for n in (hidden, code, hidden, inputs)])
        nn.init.xavier_uniform_(self.first)
        nn.init.xavier_uniform_(self.second)

    def forward(self, x):
        b1, b2, b3, b4 = self.biases
        code = F.linear(torch.tanh(F.linear(x, self.first, b1)), self.second, b2)
        return F.linear(torch.tanh(F.linear(code, self.second.t(), b3)), self.first.t(), b4)
