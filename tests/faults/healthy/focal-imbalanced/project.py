import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x, y = make_classification(
        4000, 12, n_informative=7, n_redundant=2, weights=[0.889], class_sep=1.4, flip_y=0.01, random_state=8
    )
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.25, stratify=y, random_state=8)
    mean, std = x_train.mean(0), x_train.std(0)
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train)), (t(x_val), torch.tensor(y_val))


def build_model():
    return nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
