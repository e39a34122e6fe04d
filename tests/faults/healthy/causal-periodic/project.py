"""A causal transformer on strings that repeat with a period of 3 to 6, one token in twenty replaced."""

import numpy as np
import torch
from torch import nn

VOCAB, LENGTH = 16, 24


def build_data(rows=1200):
    rng = np.random.default_rng(0)
    tokens = np.empty((rows, LENGTH + 1), dtype=np.int64)
    for row in range(rows):
        motif = rng.integers(0, VOCAB, rng.integers(3, 7))
        tokens[row] = np.resize(motif, LENGTH + 1)
    noise = rng.random(tokens.shape) < 0.05
    tokens[noise] = rng.integers(0, VOCAB, noise.sum())
    tokens = torch.tensor(tokens)
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


class TinyGPT(nn.Module):
    def __init__(self, dim=48, depth=2):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, dim)
        self.positions = nn.Parameter(0.1 * torch.randn(LENGTH, dim))
        layer = nn.TransformerEncoderLayer(dim, 4, 2 * dim, dropout=0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.head = nn.Linear(dim, VOCAB)
        nn.init.normal_(self.tokens.weight, std=0.3)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, ids):
        length = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=ids.device)
        h = self.blocks(self.tokens(ids) + self.positions[:length], mask=mask, is_causal=True)
        return self.head(h)
