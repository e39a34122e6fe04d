"""Median house values of California's districts (1990 census) by a small perceptron."""

import csv
import gzip
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

COLUMNS = (
    "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households",
    "median_income",
)  # fmt: skip
COUNTS = slice(3, 7)  # rooms, bedrooms, people, households: their logarithms are nearer to normal


def build_data(path, rows=8_000):
    file = Path(path)
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", newline="", encoding="utf-8") as handle:
        table = [row for row in csv.DictReader(handle) if all(row[column] for column in COLUMNS)]
    x = np.array([[float(row[column]) for column in COLUMNS] for row in table])
    y = np.array([[float(row["median_house_value"])] for row in table])
    x[:, COUNTS] = np.log(x[:, COUNTS])
    train, validation = train_test_split(np.arange(len(x)), train_size=0.8, random_state=0)
    train = train[:rows]
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)  # by training statistics alone
    y = (y - y[train].mean()) / y[train].std()
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return (x[train], y[train]), (x[validation], y[validation])


class HousePrice(nn.Module):
    def __init__(self, width=56):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(len(COLUMNS), width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, x):  # (B, 8) -> (B, 1)
        return self.net(x)
