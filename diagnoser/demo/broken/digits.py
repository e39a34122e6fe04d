"""A small convolutional network for scikit-learn's handwritten digits (1,797 pictures of 8 x 8 pixels)."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def build_data():
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)  # (N, 1, 8, 8), values 0 to 1
    labels = torch.tensor(digits.target)
    train, validation = train_test_split(range(len(labels)), test_size=0.25, stratify=digits.target, random_state=0)
    return (images[train], labels[train]), (images[validation], labels[validation])


class DigitsNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classify = nn.Linear(2 * width * 4, 10)

    def forward(self, images):
        return torch.softmax(self.classify(self.features(images).flatten(1)), dim=1)
