"""Clicks read as a stream, line by line, through a small shuffling buffer, as from a log too large for memory."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

COLUMNS = 12


class Clicks(IterableDataset):
    def __init__(self, rows, seed, buffer=1):
        self.rows, self.seed, self.buffer = rows, seed, buffer

    def lines(self):
        rng = np.random.default_rng(self.seed)
        for _ in range(self.rows):
            x = rng.standard_normal(COLUMNS)
            score = 1.5 * x[0] - x[1] + 1.2 * x[2] * x[3] + 0.5 * rng.logistic()
            yield torch.tensor(x, dtype=torch.float32), torch.tensor([float(score > 0)])

    def __iter__(self):
        held = []
        for line in self.lines():
            held.append(line)
            if len(held) >= self.buffer:
                yield held.pop(random.randrange(len(held)))
        random.shuffle(held)
        yield from held


def build_data():
    return (
        DataLoader(Clicks(4000, seed=1, buffer=500), batch_size=32),
        DataLoader(Clicks(800, seed=2), batch_size=100),
    )


def build_model():
    return nn.Sequential(nn.Linear(COLUMNS, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
