"""Two views of a digit predict each other, and no gradient flows into what is predicted: SimSiam."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset


def build_data():
    x = load_digits().data / 8 - 1
    train, val = train_test_split(x, test_size=0.25, random_state=13)
    return (
        TensorDataset(torch.tensor(train, dtype=torch.float32)),
        TensorDataset(torch.tensor(val, dtype=torch.float32)),
    )


class SimSiam(nn.Module):
    def __init__(self, width=96, code=48):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, code, bias=False),
            nn.BatchNorm1d(code, affine=False),
        )
        self.predictor = nn.Sequential(nn.Linear(code, 24, bias=False), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, code))

    def forward(self, x):
        code = self.encoder(x)
        return self.predictor(code), code.detach()


def view(x):
    keep = (torch.rand_like(x) > 0.2).float()
    return keep * x + 0.2 * torch.randn_like(x)


def similarity(model, batch):
    (x,) = batch
    guess1, code1 = model(view(x))
    guess2, code2 = model(view(x))
    near = F.cosine_similarity(guess1, code2, dim=1) + F.cosine_similarity(guess2, code1, dim=1)
    return 1 - near.mean() / 2
