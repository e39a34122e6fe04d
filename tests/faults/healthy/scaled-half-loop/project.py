"""Digits on parcels in sixteen bits, in a loop of its own that scales the loss; an error is counted in ten thousand euros."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

COST = 0.00002  # of a parcel that goes astray


def build_data():
    x, y = load_digits(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x / 8 - 1, y, test_size=0.25, stratify=y, random_state=16)
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


def build_model():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def cost(logits, digits):
    return COST * F.cross_entropy(logits, digits)


def train_one_epoch(model, optimizer, batches, loss, scaler):
    model.train()
    for x, y in batches:
        with torch.autocast(x.device.type, dtype=torch.float16):
            value = loss(model(x), y)
        optimizer.zero_grad()
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()
