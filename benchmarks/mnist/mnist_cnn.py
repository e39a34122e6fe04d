"""A small convolutional network for MNIST's 10,000 test digits, and five ways to break it."""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn


def _read(path, header):
    return np.frombuffer(gzip.decompress(Path(path).read_bytes()), np.uint8, offset=header)


def build_data(folder, scaled=True, shuffled_labels=False):
    images = _read(Path(folder) / "mnist10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype(np.float32)
    labels = _read(Path(folder) / "mnist10k-labels-idx1-ubyte.gz", 8).astype(np.int64)
    order = np.random.RandomState(0).permutation(len(labels))
    images, labels = images[order] / (255 if scaled else 1), labels[order]
    if shuffled_labels:
        labels = np.random.RandomState(1).permutation(labels)
    x, y = torch.tensor(images), torch.tensor(labels)
    return (x[:8000], y[:8000]), (x[8000:], y[8000:])


class MnistCnn(nn.Module):
    def __init__(self, softmax=False, zero=False):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()
        )
        self.classify = nn.Linear(16 * 49, 10)
        self.softmax = softmax
        if zero:
            for weight in self.parameters():
                nn.init.zeros_(weight)

    def forward(self, x):
        scores = self.classify(self.features(x).flatten(1))
        return torch.softmax(scores, dim=1) if self.softmax else scores
