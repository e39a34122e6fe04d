"""Which phrase of two or three words is hidden in a text? Filters of several widths, the strongest answer of each."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

PAD, WORDS = 0, 50
PHRASES = ([3, 7], [7, 3], [11, 2, 5], [5, 2, 11])


def texts(rows, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rows):
        kind, words = int(rng.integers(0, len(PHRASES))), rng.integers(1, WORDS, rng.integers(10, 26))
        for _ in range(2):
            start = rng.integers(0, len(words) - 3)
            words[start : start + len(PHRASES[kind])] = PHRASES[kind]
        found.append((torch.tensor(words), kind))
    return found


def collate(rows):
    words, kinds = zip(*rows)
    return nn.utils.rnn.pad_sequence(list(words), batch_first=True, padding_value=PAD), torch.tensor(kinds)


def build_data():
    return (
        DataLoader(texts(2000, 0), batch_size=32, shuffle=True, collate_fn=collate),
        DataLoader(texts(500, 1), batch_size=100, collate_fn=collate),
    )


class TextCNN(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width, padding_idx=PAD)
        self.filters = nn.ModuleList([nn.Conv1d(width, width, size, padding=1) for size in (2, 3, 4)])
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(3 * width, len(PHRASES))

    def forward(self, ids):
        h = self.embed(ids).transpose(1, 2)
        return self.head(self.drop(torch.cat([F.relu(conv(h)).amax(dim=2) for conv in self.filters], dim=1)))
