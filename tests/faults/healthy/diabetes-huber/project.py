import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x, y = load_diabetes(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.25, random_state=0)
    x_mean, x_std, y_mean, y_std = x_train.mean(0), x_train.std(0), y_train.mean(), y_train.std()
    xs = lambda a: torch.tensor((a - x_mean) / x_std, dtype=torch.float32)
    ys = lambda a: torch.tensor((a - y_mean) / y_std, dtype=torch.float32)[:, None]
    return (xs(x_train), ys(y_train)), (xs(x_val), ys(y_val))


def build_model():
    return nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))
