"""Encoder and decoder: write a short word backwards, each letter moved on by one."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LETTERS, LENGTH, START = 12, 6, 12


class Words(Dataset):
    def __init__(self, rows, seed):
        self.words = torch.randint(0, LETTERS, (rows, LENGTH), generator=torch.Generator().manual_seed(seed))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, i):
        source = self.words[i]
        target = (source.flip(0) + 1) % LETTERS
        return (source, torch.cat([torch.tensor([START]), target[:-1]])), target


def build_data():
    return DataLoader(Words(2500, 1), batch_size=32, shuffle=True), DataLoader(Words(500, 2), batch_size=100)


class Translator(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.source = nn.Embedding(LETTERS, dim)
        self.target = nn.Embedding(LETTERS + 1, dim)
        self.source_place = nn.Parameter(torch.randn(LENGTH, dim))
        self.target_place = nn.Parameter(torch.randn(LENGTH, dim))
        self.body = nn.Transformer(dim, 4, 1, 1, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(dim, LETTERS)

    def forward(self, source, so_far):
        mask = nn.Transformer.generate_square_subsequent_mask(so_far.shape[1])
        h = self.body(self.source(source) + self.source_place, self.target(so_far) + self.target_place, tgt_mask=mask)
        return self.head(h)
