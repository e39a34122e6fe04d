"""The exponential moving average of the weights: followed in training, evaluated in place of the raw ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from diagnoser.spec.fields import Ema


class Average:
    """Keeps the average; `swapped` puts it into the model for an evaluation. Buffers are the model's own."""

    def __init__(self, model: nn.Module, given: Ema) -> None:
        self.parameters: list[torch.Tensor] = [p for p in model.parameters() if p.is_floating_point()]
        self.average = [p.detach().clone() for p in self.parameters]
        self.given = given
        self.updates = 0

    @torch.no_grad()
    def after_update(self) -> None:
        """Follow one update of the optimizer."""
        self.updates += 1
        if self.updates % self.given.update_every == 0:
            torch._foreach_lerp_(self.average, self.parameters, 1 - self.given.decay)  # as torch.optim.swa_utils does

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Evaluate with the average inside; the raw weights are back afterwards."""
        raw = [p.detach().clone() for p in self.parameters]
        self._fill(self.average)
        try:
            yield
        finally:
            self._fill(raw)

    @torch.no_grad()
    def _fill(self, values: list[torch.Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)
