"""A small MLP-Mixer with stochastic depth; mixup and clipping in a loop of its own."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    digits = load_digits()
    x_train, x_val, y_train, y_val = train_test_split(
        digits.images[:, None], digits.target, test_size=0.25, stratify=digits.target, random_state=4
    )
    mean, std = x_train.mean(), x_train.std()
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


class Layer(nn.Module):
    def __init__(self, patches, dim, drop):
        super().__init__()
        self.drop = drop
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.tokens = nn.Sequential(nn.Linear(patches, 32), nn.GELU(), nn.Linear(32, patches))
        self.channels = nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, dim))

    def path(self, x):
        if not self.training or self.drop == 0:
            return x
        keep = (torch.rand(len(x), 1, 1, device=x.device) >= self.drop).float()
        return x * keep / (1 - self.drop)

    def forward(self, x):
        x = x + self.path(self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2))
        return x + self.path(self.channels(self.norm2(x)))


class Mixer(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.patch = nn.Conv2d(1, dim, 2, stride=2)
        self.layers = nn.Sequential(Layer(16, dim, 0.0), Layer(16, dim, 0.1))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.layers(x)).mean(dim=1))


def fit_epoch(model, optimizer, batches, scheduler, loss):
    model.train()
    for x, y in batches:
        share = torch.distributions.Beta(0.2, 0.2).sample().item()
        other = torch.randperm(len(x))
        logits = model(share * x + (1 - share) * x[other])
        value = share * loss(logits, y) + (1 - share) * loss(logits, y[other])
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()


def score(model, batches):
    was_training = model.training
    model.eval()
    hits, seen = 0, 0
    with torch.inference_mode():
        for x, y in batches:
            hits += int((model(x).argmax(1) == y).sum())
            seen += len(y)
    model.train(was_training)
    return {"accuracy": hits / seen}
