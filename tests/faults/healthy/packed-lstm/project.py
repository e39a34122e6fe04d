"""Messages of uneven length: the LSTM reads each up to its own end, forwards and backwards."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

PAD, WORDS, TOPICS = 0, 80, 5


def messages(rows, seed):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rows):
        topic, length = rng.integers(0, TOPICS), rng.integers(4, 24)
        own = rng.integers(0, (WORDS - 1) // TOPICS, length) * TOPICS + topic + 1
        other = rng.integers(1, WORDS, length)
        found.append((torch.tensor(np.where(rng.random(length) < 0.45, own, other)), int(topic)))
    return found


def collate(rows):
    words, topics = zip(*rows)
    return nn.utils.rnn.pad_sequence(list(words), batch_first=True, padding_value=PAD), torch.tensor(topics)


def build_data():
    return (
        DataLoader(messages(1200, 0), batch_size=32, shuffle=True, collate_fn=collate),
        DataLoader(messages(400, 1), batch_size=50, collate_fn=collate),
    )


class MessageLSTM(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width, padding_idx=PAD)
        self.rnn = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, TOPICS)

    def forward(self, ids):
        lengths = (ids != PAD).sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.rnn(packed)
        return self.head(torch.cat([last[0], last[1]], dim=1))
