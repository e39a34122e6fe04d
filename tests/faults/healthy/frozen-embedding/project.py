"""Tickets for four desks; the word vectors were made elsewhere and stay as they are."""

import numpy as np
import torch
from torch import nn

WORDS, DESKS, DIM = 200, 4, 16


def vectors():
    rng = np.random.default_rng(70)
    subject = rng.standard_normal((DESKS + 2, DIM))
    return subject[np.arange(WORDS) % (DESKS + 2)] + 0.8 * rng.standard_normal((WORDS, DIM))


def build_data(rows=1800, length=14):
    rng = np.random.default_rng(71)
    y = rng.integers(0, DESKS, rows)
    about = rng.integers(0, WORDS // (DESKS + 2), (rows, length)) * (DESKS + 2) + y[:, None]
    x = np.where(rng.random((rows, length)) < 0.35, about, rng.integers(0, WORDS, (rows, length)))
    x, y = torch.tensor(x), torch.tensor(y)
    return (x[:1300], y[:1300]), (x[1300:], y[1300:])


class TicketNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(torch.tensor(vectors(), dtype=torch.float32), freeze=True)
        self.each = nn.Sequential(nn.Linear(DIM, 32), nn.ReLU())
        self.head = nn.Linear(32, DESKS)

    def forward(self, ids):
        return self.head(self.each(self.words(ids)).mean(dim=1))
