"""Sixteen patches of 2 x 2 pixels and a token that collects the answer."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    digits = load_digits()
    patches = (digits.images / 8 - 1).reshape(-1, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 4)
    x_train, x_val, y_train, y_val = train_test_split(
        patches, digits.target, test_size=0.25, stratify=digits.target, random_state=11
    )
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


class PatchTransformer(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.embed = nn.Linear(4, dim)
        self.collector = nn.Parameter(torch.zeros(1, 1, dim))
        self.places = nn.Parameter(0.2 * torch.randn(17, dim))
        layer = nn.TransformerEncoderLayer(dim, 4, 96, dropout=0.1, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.head = nn.Linear(dim, 10)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, x):
        h = torch.cat([self.collector.expand(len(x), -1, -1), self.embed(x)], dim=1)
        return self.head(self.layers(h + self.places)[:, 0])
