import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    x, y = make_multilabel_classification(2000, n_features=40, n_classes=6, n_labels=2, length=60, random_state=4)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.25, random_state=4)
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    t = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
    return (t(x_train), torch.tensor(y_train).float()), (t(x_val), torch.tensor(y_val).float())


def build_model():
    return nn.Sequential(nn.Linear(40, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 6))
