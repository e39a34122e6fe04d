import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x, y = load_iris(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.3, stratify=y, random_state=3)
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


def build_model():
    return nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))
