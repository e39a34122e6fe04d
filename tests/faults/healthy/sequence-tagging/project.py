"""Tag each token by its kind and its left neighbour; short sentences are padded, and padding does not count."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

PAD, WORDS, TAGS, IGNORE = 0, 30, 5, -100


def sentences(rows, seed):
    rng = np.random.default_rng(seed)
    data = []
    for _ in range(rows):
        words = rng.integers(1, WORDS, rng.integers(5, 15))
        left = np.concatenate([[1], words[:-1]])
        data.append((torch.tensor(words), torch.tensor((words + (left > WORDS // 2)) % TAGS)))
    return data


def collate(rows):
    words, tags = zip(*rows)
    pad = nn.utils.rnn.pad_sequence
    return pad(words, batch_first=True, padding_value=PAD), pad(tags, batch_first=True, padding_value=IGNORE)


def build_data():
    return (
        DataLoader(sentences(800, 0), batch_size=32, shuffle=True, collate_fn=collate),
        DataLoader(sentences(200, 1), batch_size=50, collate_fn=collate),
    )


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, 16, padding_idx=PAD)
        self.rnn = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Linear(32, TAGS)

    def forward(self, ids):
        return self.head(self.rnn(self.embed(ids))[0])


def tag_loss(logits, tags):
    return F.cross_entropy(logits.transpose(1, 2), tags, ignore_index=IGNORE)
