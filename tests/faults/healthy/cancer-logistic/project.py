"""Logistic regression: malignant or benign, from 30 measurements of a cell."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


def build_data():
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.3, stratify=y, random_state=1)
    scaler = StandardScaler().fit(x_train)
    as_tensor = lambda a: torch.tensor(scaler.transform(a), dtype=torch.float32)
    return (as_tensor(x_train), torch.tensor(y_train)), (as_tensor(x_val), torch.tensor(y_val))


def build_model():
    return nn.Linear(30, 2)
