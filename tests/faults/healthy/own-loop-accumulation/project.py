import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

ACCUMULATE = 4


def build_data():
    x, y = load_digits(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x / 8 - 1, y, test_size=0.25, stratify=y, random_state=9)
    t = lambda a: torch.tensor(a, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.drop = nn.Dropout(0.1)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc2(self.drop(torch.relu(self.fc1(x))))


def train_one_epoch(model, optimizer, batches, scheduler):
    model.train()
    optimizer.zero_grad()
    count = len(batches)
    for i, (x, y) in enumerate(batches):
        loss = F.cross_entropy(model(x), y) / ACCUMULATE
        loss.backward()
        if (i + 1) % ACCUMULATE == 0 or i + 1 == count:
            optimizer.step()
            optimizer.zero_grad()
    scheduler.step()


@torch.no_grad()
def evaluate(model, batches):
    model.eval()
    right = rows = 0
    for x, y in batches:
        right += (model(x).argmax(1) == y).sum().item()
        rows += len(y)
    return {"accuracy": right / rows}
