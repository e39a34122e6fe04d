"""What is common to the ways in which one parameter group of all trials is updated?

The lone optimizers stay the place where settings live: schedules write there, and each step reads them again.

Shapes: N trials, W columns of one parameter group.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, ClassVar

import torch
from torch import Tensor

Group = Mapping[str, Any]  # one of a torch optimizer's `param_groups`


class Rule(ABC):
    """One parameter group of all trials: what their optimizers say now, their state, and the update."""

    names: ClassVar[tuple[str, ...]]  # the settings that are numbers, and may differ between trials

    def __init__(self, groups: Sequence[Group], weights: Tensor) -> None:
        """Start with each trial's group, and with the weights (N, W) that it will update."""
        self.groups = list(groups)
        self.maximize = bool(groups[0]["maximize"])
        self.steps = 0
        self.state: dict[str, Tensor] = {}  # each (N, W)
        self.begun = [False] * len(self.groups)  # whose momentum has had a step: torch's first buffer is the gradient
        self.now: dict[str, tuple[Any, ...]] = {}  # the settings by name, one for each trial
        self.like = weights.new_empty(0)
        self._shape = weights.shape
        self._read: list[Any] | None = None
        self._get = itemgetter(*self.names)

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Update the weights (N, W) in place."""
        read = [self._get(group) for group in self.groups]
        if read != self._read:
            self._read = read
            self.now = {
                name: tuple(map(_plain, values))
                for name, values in zip(self.names, zip(*read, strict=True), strict=True)
            }
            self.prepare()
        self.steps += 1
        self.update(weights, gradient)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these trials only."""
        index = torch.tensor(rows, dtype=torch.int64, device=self.like.device)
        self.groups = [self.groups[row] for row in rows]
        self.begun = [self.begun[row] for row in rows]
        self.state = {name: tensor[index] for name, tensor in self.state.items()}
        self._shape = torch.Size((len(rows), self._shape[1]))
        self._read = None

    @abstractmethod
    def prepare(self) -> None:
        """Make of `now` what the updates need until a setting changes."""

    @abstractmethod
    def update(self, weights: Tensor, gradient: Tensor) -> None:
        """Update the weights; `steps` counts the updates, with this one."""

    def empty(self) -> Tensor:
        """Make a tensor (N, W) of no value."""
        return self.like.new_empty(self._shape)

    def set_state(self, name: str, values: Sequence[float]) -> None:
        """Let a state start at one value for each trial."""
        column = torch.tensor(values, dtype=self.like.dtype, device=self.like.device).unsqueeze(1)  # (N, 1)
        self.state[name] = self.empty().copy_(column)

    def add_state(self, *names: str) -> None:
        """Let states start at zero, but for those that are there already."""
        for name in names:
            if name not in self.state:
                self.state[name] = self.like.new_zeros(self._shape)

    def begin_momentum(self) -> None:
        """Note whose momentum has had a step."""
        begun = [before or value != 0 for before, value in zip(self.begun, self.now["momentum"], strict=True)]
        if begun != self.begun:
            self.begun, self._read = begun, None  # the next step is prepared anew


def _plain(value: Any) -> Any:
    """Turn what a schedule may have computed (a number of numpy's) into a float; betas are a pair of them."""
    return tuple(map(float, value)) if isinstance(value, tuple | list) else float(value)
