import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import TensorDataset


def build_data():
    x, y = load_wine(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.35, stratify=y, random_state=0)
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    return TensorDataset(t(x_train), torch.tensor(y_train)), TensorDataset(t(x_val), torch.tensor(y_val))


class WineNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.hidden = nn.Linear(13, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(torch.relu(self.hidden(x)))
