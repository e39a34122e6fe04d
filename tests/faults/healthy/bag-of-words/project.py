"""Bags of words of uneven length, in one flat list with offsets, as nn.EmbeddingBag takes them."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

WORDS, TOPICS = 300, 6


class Messages(Dataset):
    def __init__(self, rows, seed):
        world = np.random.default_rng(100)
        topics = world.dirichlet(np.full(WORDS, 0.15), TOPICS)
        common = world.dirichlet(np.full(WORDS, 1.0))
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, TOPICS, rows)
        self.texts = [
            rng.choice(WORDS, rng.integers(6, 20), p=0.4 * topics[label] + 0.6 * common) for label in self.labels
        ]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.texts[index], self.labels[index]


def collate(rows):
    texts, labels = zip(*rows)
    offsets = np.cumsum([0] + [len(text) for text in texts[:-1]])
    return (torch.tensor(np.concatenate(texts)), torch.tensor(offsets)), torch.tensor(np.array(labels))


def build_data():
    train, val = Messages(3000, 1), Messages(600, 2)
    return (
        DataLoader(train, batch_size=32, shuffle=True, collate_fn=collate),
        DataLoader(val, batch_size=100, collate_fn=collate),
    )


class Topics(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 24)
        self.head = nn.Linear(24, TOPICS)

    def forward(self, ids, offsets):
        return self.head(self.bag(ids, offsets))
