"""Which of three motifs is hidden in a string of 20 letters?"""

import numpy as np
import torch
from torch import nn

MOTIFS = [(1, 5, 2), (3, 3, 7), (6, 0, 4)]


def build_data(rows=2000, length=20, letters=8):
    rng = np.random.default_rng(11)
    x = rng.integers(0, letters, (rows, length))
    y = rng.integers(0, 3, rows)
    where = rng.integers(0, length - 3, rows)
    for row in range(rows):
        x[row, where[row] : where[row] + 3] = MOTIFS[y[row]]
    x, y = torch.tensor(x), torch.tensor(y)
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


class MotifLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(8, 12)
        self.lstm = nn.LSTM(12, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 3)

    def forward(self, ids):
        h, _ = self.lstm(self.embed(ids))
        return self.head(h.amax(dim=1))
