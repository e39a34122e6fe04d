"""Sentences of a small random grammar: the next word hangs on the last two. One table embeds and predicts."""

import numpy as np
import torch
from torch import nn

WORDS, LENGTH = 24, 20


def build_data(rows=1300):
    rng = np.random.default_rng(5)
    follow = rng.integers(0, WORDS, (WORDS, 4))
    text = rng.integers(0, WORDS, (rows, LENGTH + 1))
    for t in range(2, LENGTH + 1):
        choice = follow[text[:, t - 1], text[:, t - 2] % 4]
        text[:, t] = np.where(rng.random(rows) < 0.85, choice, rng.integers(0, WORDS, rows))
    text = torch.tensor(text)
    x, y = text[:, :-1].contiguous(), text[:, 1:].contiguous()
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))

    def attend(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        h = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(h.transpose(1, 2).reshape(b, t, d))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class SmallLM(nn.Module):
    def __init__(self, dim=48, depth=2, heads=4):
        super().__init__()
        self.words = nn.Embedding(WORDS, dim)
        self.places = nn.Embedding(LENGTH, dim)
        self.blocks = nn.ModuleList([Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, WORDS, bias=False)
        self.head.weight = self.words.weight
        nn.init.normal_(self.words.weight, std=0.05)
        nn.init.normal_(self.places.weight, std=0.05)

    def forward(self, ids):
        h = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))
