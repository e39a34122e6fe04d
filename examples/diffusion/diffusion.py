"""A small diffusion model of handwritten digits: predict the noise that was mixed into a picture."""

import gzip
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

HEADER = 16  # bytes before the pixels in MNIST's image format


def build_data(path, rows=5_000):
    file = Path(path)
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    pictures = np.frombuffer(content, np.uint8, offset=HEADER).reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))  # (N, 7, 7)
    x = torch.tensor(pictures[:rows].reshape(-1, 49) / 127.5 - 1, dtype=torch.float32)
    cut = int(0.8 * len(x))
    return TensorDataset(x[:cut]), TensorDataset(x[cut:])


class Denoiser(nn.Module):
    def __init__(self, pixels=49, width=128, bands=8):
        super().__init__()
        self.register_buffer("bands", 2.0 ** torch.arange(bands) * math.pi / 2)
        self.net = nn.Sequential(
            nn.Linear(pixels + 2 * bands, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, pixels),
        )

    def forward(self, x, time):  # (B, 49), (B,) -> (B, 49)
        phase = time[:, None] * self.bands
        return self.net(torch.cat([x, phase.sin(), phase.cos()], dim=1))


def training_step(model, batch):
    (x,) = batch
    time = torch.rand(len(x), device=x.device)
    keep, mix = torch.cos(time * math.pi / 2)[:, None], torch.sin(time * math.pi / 2)[:, None]
    noise = torch.randn_like(x)
    return ((model(keep * x + mix * noise, time) - noise) ** 2).mean()
