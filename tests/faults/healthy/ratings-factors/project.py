"""Matrix factorisation: ratings of 80 films by 120 people."""

import numpy as np
import torch
from torch import nn


def build_data(people=120, films=80, rank=3):
    rng = np.random.default_rng(14)
    taste, trait = rng.normal(size=(people, rank)), rng.normal(size=(films, rank))
    pairs = rng.permutation(people * films)[:6000]
    who, what = pairs // films, pairs % films
    y = 0.5 * (taste[who] * trait[what]).sum(1) + 0.4 * rng.normal(size=people)[who] + 0.2 * rng.normal(size=len(pairs))
    x = torch.tensor(np.stack([who, what], axis=1))
    y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    return (x[:5000], y[:5000]), (x[5000:], y[5000:])


class Factors(nn.Module):
    def __init__(self, rank=4):
        super().__init__()
        self.people = nn.Embedding(120, rank)
        self.films = nn.Embedding(80, rank)
        self.person_bias = nn.Embedding(120, 1)
        for table in (self.people, self.films):
            nn.init.normal_(table.weight, std=0.3)
        nn.init.zeros_(self.person_bias.weight)

    def forward(self, pairs):
        who, what = pairs[:, 0], pairs[:, 1]
        return (self.people(who) * self.films(what)).sum(1) + self.person_bias(who).squeeze(1)
