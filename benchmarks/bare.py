"""The loop that a user would write: a DataLoader with 0 workers, torch's default optimizer, one trial.

Every rival of the search trains with it, and ours is held against it for the same number of steps.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.workloads import BATCH, Split, Workload


def optimizer_of(workload: Workload, model: nn.Module, *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Build the workload's optimizer as torch makes it by default."""
    if workload.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(model.parameters(), lr=lr, weight_decay=weight_decay, momentum=workload.momentum or 0.0)


def train(
    workload: Workload, split: Split, *, lr: float, weight_decay: float, epochs: int, seed: int, device: str = "cpu"
) -> float:
    """Train one model and return its accuracy on the validation rows."""
    (x_train, y_train), (x_validation, y_validation) = split
    torch.manual_seed(seed)
    model = workload.build().to(device)
    optimizer = optimizer_of(workload, model, lr=lr, weight_decay=weight_decay)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=BATCH, shuffle=True)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in DataLoader(TensorDataset(x_validation, y_validation), batch_size=BATCH):
            right += int((model(x.to(device)).argmax(dim=1) == y.to(device)).sum())
    return right / len(y_validation)


def updates_of(split: Split, *, epochs: int) -> int:
    """Count the updates of so many epochs; the last batch of each may be small."""
    return epochs * -(-len(split[0][1]) // BATCH)
