"""A small GPT: each token is the sum of the two before it, modulo 13, but for one in eight that is drawn anew."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WORDS, LENGTH = 13, 32


def build_data(rows=1400):
    rng = np.random.default_rng(63)
    text = rng.integers(0, WORDS, (rows, LENGTH + 1))
    for t in range(2, LENGTH + 1):
        follows = rng.random(rows) < 7 / 8
        text[follows, t] = (text[follows, t - 1] + text[follows, t - 2]) % WORDS
    text = torch.tensor(text)
    return (text[:1100, :-1], text[:1100, 1:]), (text[1100:, :-1], text[1100:, 1:])


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        rows, length, dim = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(rows, length, dim))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, dim=48, depth=2, heads=4):
        super().__init__()
        self.tokens, self.places = nn.Embedding(WORDS, dim), nn.Embedding(LENGTH, dim)
        self.blocks = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, WORDS, bias=False)
        self.apply(self.initialise)

    def initialise(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, ids):
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.head(self.norm(self.blocks(self.tokens(ids) + self.places(places))))


def build_optimizer(model, lr, weight_decay):
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=lr,
        betas=(0.9, 0.95),
    )
