"""The community of each node of one graph; the loss sees the labels of some, validation those of others."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

NODES, GROUPS = 300, 3


class OneGraph(Dataset):
    def __init__(self, mask):
        generator = torch.Generator().manual_seed(0)
        self.labels = torch.arange(NODES) % GROUPS
        same = self.labels[:, None] == self.labels[None, :]
        edges = torch.rand(NODES, NODES, generator=generator) < torch.where(same, 0.06, 0.008)
        edges = ((edges | edges.T) | torch.eye(NODES, dtype=torch.bool)).float()
        self.edges = edges / edges.sum(1, keepdim=True)
        self.x = F.one_hot(self.labels, GROUPS) + 1.0 * torch.randn(NODES, GROUPS, generator=generator)
        self.x = torch.cat([self.x, torch.randn(NODES, 13, generator=generator)], dim=1)
        self.mask = mask

    def __len__(self):
        return 1

    def __getitem__(self, i):
        return self.x, self.edges, self.labels, self.mask


def build_data():
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(1))
    train, val = torch.zeros(NODES, dtype=torch.bool), torch.zeros(NODES, dtype=torch.bool)
    train[order[:180]], val[order[180:]] = True, True
    return OneGraph(train), OneGraph(val)


class GraphNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.first, self.second = nn.Linear(16, width), nn.Linear(width, GROUPS)
        self.drop = nn.Dropout(0.3)

    def forward(self, x, edges):
        return self.second(edges @ self.drop(torch.relu(self.first(edges @ x))))


def step(model, batch):
    x, edges, labels, mask = batch
    logits = model(x, edges)
    return F.cross_entropy(logits[mask], labels[mask])


@torch.no_grad()
def evaluate(model, batches):
    model.eval()
    ((x, edges, labels, mask),) = batches
    return {"accuracy": (model(x, edges).argmax(-1) == labels)[mask].float().mean().item()}
