import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x = load_digits().data / 16
    train, val = train_test_split(x, test_size=0.25, random_state=0)
    train, val = torch.tensor(train, dtype=torch.float32), torch.tensor(val, dtype=torch.float32)
    return (train, train), (val, val)


class Autoencoder(nn.Module):
    def __init__(self, codes=32):
        super().__init__()
        self.encoder = nn.Linear(64, codes)
        self.decoder = nn.Sequential(nn.Linear(codes, 128), nn.GELU(), nn.Linear(128, 64), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))
