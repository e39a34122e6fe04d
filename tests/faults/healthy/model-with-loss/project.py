"""A model in the manner of the transformers library: keywords in, a dict with loss and logits out."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


class Reviews(Dataset):
    def __init__(self, rows, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 2, rows)
        mood = np.where(self.labels[:, None] == 1, rng.integers(10, 20, (rows, 12)), rng.integers(20, 30, (rows, 12)))
        self.ids = np.where(rng.random((rows, 12)) < 0.3, mood, rng.integers(1, 40, (rows, 12)))
        lengths = rng.integers(6, 13, rows)
        self.mask = (np.arange(12)[None, :] < lengths[:, None]).astype(np.int64)
        self.ids = self.ids * self.mask

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return {"input_ids": self.ids[i], "attention_mask": self.mask[i], "labels": self.labels[i]}


def build_data():
    return DataLoader(Reviews(2000, 1), batch_size=32, shuffle=True), DataLoader(Reviews(500, 2), batch_size=100)


class Classifier(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.embed = nn.Embedding(40, dim)
        self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 2)

    def forward(self, input_ids, attention_mask, labels=None):
        h = self.embed(input_ids)
        padded = attention_mask == 0
        h = self.norm(h + self.attention(h, h, h, key_padding_mask=padded, need_weights=False)[0])
        kept = attention_mask[..., None].float()
        logits = self.head((h * kept).sum(1) / kept.sum(1))
        loss = F.cross_entropy(logits, labels) if labels is not None else None
        return {"loss": loss, "logits": logits}


def build_optimizer(model, lr, weight_decay):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}], lr=lr
    )
