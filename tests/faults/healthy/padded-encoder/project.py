"""Which of two kinds of word comes up more often in a complaint? Post-norm layers; padding is hidden from all of them."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

PAD, WORDS, LONGEST = 0, 60, 24


def complaints(rows, seed):
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < rows:
        words = rng.integers(1, WORDS, rng.integers(4, LONGEST + 1))
        late, faulty = int((words <= 8).sum()), int(((words > 8) & (words <= 16)).sum())
        if late != faulty:
            found.append((torch.tensor(words), int(faulty > late)))
    return found


def collate(rows):
    words, kinds = zip(*rows)
    return nn.utils.rnn.pad_sequence(list(words), batch_first=True, padding_value=PAD), torch.tensor(kinds)


def build_data():
    return (
        DataLoader(complaints(1600, 0), batch_size=32, shuffle=True, collate_fn=collate),
        DataLoader(complaints(500, 1), batch_size=50, collate_fn=collate),
    )


class ComplaintEncoder(nn.Module):
    def __init__(self, dim=24, depth=2):
        super().__init__()
        self.embed = nn.Embedding(WORDS, dim, padding_idx=PAD)
        self.place = nn.Embedding(LONGEST, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, 48, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(dim, 2)

    def forward(self, ids):
        padded = ids == PAD
        h = self.embed(ids) + 0.1 * self.place(torch.arange(ids.shape[1], device=ids.device))
        h = self.layers(h, src_key_padding_mask=padded)
        words = (~padded).float()[..., None]
        return self.head((h * words).sum(1) / words.sum(1))
