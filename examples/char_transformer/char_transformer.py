"""A small causal transformer that predicts the next character of a text."""

import gzip
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn


def build_data(path, length=32, characters=80_000):
    file = Path(path)
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as handle:
        text = handle.read(characters)
    to_id = {character: number for number, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([to_id[character] for character in text])
    count = (len(ids) - 1) // length
    inputs = ids[: count * length].view(count, length)  # (N, T)
    targets = ids[1 : count * length + 1].view(count, length)  # (N, T), the same text one character later
    cut = int(0.9 * count)
    return (inputs[:cut], targets[:cut]), (inputs[cut:], targets[cut:])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x, mask):
        normed = self.before_attention(x)
        x = x + self.attention(normed, normed, normed, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.before_mlp(x))


class CharTransformer(nn.Module):
    def __init__(self, vocabulary=65, length=32, width=48, heads=4, depth=2):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)
        nn.init.normal_(self.tokens.weight, std=0.1)
        nn.init.normal_(self.positions.weight, std=0.1)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, ids):  # (B, T) -> (B, T, V)
        steps = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(steps, device=ids.device)
        x = self.tokens(ids) + self.positions.weight[:steps]
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x))


def next_character_loss(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
