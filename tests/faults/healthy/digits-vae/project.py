import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset


def build_data():
    x = load_digits().data / 16
    train, val = train_test_split(x, test_size=0.25, random_state=0)
    return (
        TensorDataset(torch.tensor(train, dtype=torch.float32)),
        TensorDataset(torch.tensor(val, dtype=torch.float32)),
    )


class VAE(nn.Module):
    def __init__(self, codes=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * codes))
        self.decoder = nn.Sequential(nn.Linear(codes, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        code = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        return self.decoder(code), mean, log_var


def negative_bound(model, batch):
    (x,) = batch
    logits, mean, log_var = model(x)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    divergence = -0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).sum(1)
    return (reconstruction + divergence).mean()
