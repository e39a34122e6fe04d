"""Noise is added to a digit in every step, and the network takes it away again."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset


def build_data():
    train, val = train_test_split(load_digits().data / 16, test_size=0.25, random_state=4)
    pack = lambda a: TensorDataset(torch.tensor(a, dtype=torch.float32))
    return pack(train), pack(val)


def build_model():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64))


def denoise(model, batch):
    (clean,) = batch
    noisy = clean + 0.4 * torch.randn_like(clean)
    return F.mse_loss(model(noisy), clean)
