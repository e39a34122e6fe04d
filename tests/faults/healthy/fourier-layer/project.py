"""From the heat along a ring to the heat some time later: complex weights on the lowest waves, as neural operators have."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

POINTS, WAVES = 48, 10


def build_data(rows=1100):
    rng = np.random.default_rng(61)
    decay = 1 / (1 + np.arange(POINTS // 2 + 1))
    spectrum = decay * (rng.standard_normal((rows, POINTS // 2 + 1)) + 1j * rng.standard_normal((rows, POINTS // 2 + 1)))
    before = np.fft.irfft(spectrum, POINTS) * POINTS / 2
    after, wave = before.copy(), np.arange(POINTS // 2 + 1)
    for _ in range(20):
        spread = np.fft.irfft(np.fft.rfft(after) * np.exp(-0.002 * wave**2 - 0.04j * wave), POINTS)
        after = spread + 0.02 * (spread - spread**3)
    scale = before[:800].std()
    mean, std = after[:800].mean(), after[:800].std()
    x = torch.tensor(before / scale, dtype=torch.float32)[:, None]
    y = torch.tensor((after - mean) / std, dtype=torch.float32)[:, None]
    return (x[:800], y[:800]), (x[800:], y[800:])


class Spectral(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, WAVES, dtype=torch.cfloat) / width)

    def forward(self, x):
        waves = torch.fft.rfft(x)
        kept = torch.einsum("bik,iok->bok", waves[..., :WAVES], self.weight)
        return torch.fft.irfft(F.pad(kept, (0, waves.shape[-1] - WAVES)), n=x.shape[-1])


class FourierNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.lift = nn.Conv1d(1, width, 1)
        self.waves = nn.ModuleList([Spectral(width) for _ in range(2)])
        self.local = nn.ModuleList([nn.Conv1d(width, width, 1) for _ in range(2)])
        self.out = nn.Conv1d(width, 1, 1)

    def forward(self, x):
        h = self.lift(x)
        for waves, local in zip(self.waves, self.local):
            h = F.gelu(waves(h) + local(h))
        return self.out(h)
