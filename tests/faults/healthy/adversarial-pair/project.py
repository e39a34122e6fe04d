"""A generator of daily returns and its critic. The critic has an optimizer of its own, and takes its turn in the step."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

NOISE = 4


def build_data(rows=2500):
    rng = np.random.default_rng(64)
    calm = rng.random((rows, 1)) < 0.7
    x = np.where(calm, 0.5 + 0.4 * rng.standard_normal((rows, 2)), -1 + 0.8 * rng.standard_normal((rows, 2)))
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    return TensorDataset(x[:2000]), TensorDataset(x[2000:])


def layers(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, outputs)
    )


class Adversaries(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.critic = layers(NOISE, 2), layers(2, 1)
        self.critics_turn = torch.optim.Adam(self.critic.parameters(), lr=0.002, betas=(0.5, 0.9))

    def forward(self, noise):
        return self.generator(noise)


def build_optimizer(model, lr, weight_decay):
    return torch.optim.Adam(model.generator.parameters(), lr=lr, betas=(0.5, 0.9), weight_decay=weight_decay)


def step(model, batch):
    (real,) = batch
    made = model(torch.randn(len(real), NOISE, device=real.device))
    if torch.is_grad_enabled() and model.training:
        model.critics_turn.zero_grad()
        (F.softplus(-model.critic(real)).mean() + F.softplus(model.critic(made.detach())).mean()).backward()
        model.critics_turn.step()
    return F.softplus(-model.critic(made)).mean()


@torch.no_grad()
def evaluate(model, batches):
    model.eval()
    real = torch.cat([rows for (rows,) in batches])
    noise = torch.randn(len(real), NOISE, generator=torch.Generator().manual_seed(0))
    made = model(noise.to(real.device))
    return {"distance": (real.sort(0).values - made.sort(0).values).abs().mean().item()}
