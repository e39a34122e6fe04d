"""How are trials updated by torch's own fused kernels, trial by trial?

A kernel of torch's takes one learning rate, so it is called for each trial, or for all that agree in every setting.
It reads and writes each number once, where a rule for all trials together passes over the weights three to eight
times: on a CPU that is faster as soon as a pass costs more than a call. What it computes is what the lone optimizer
computes, for that one is fused too.

Shapes: N trials, W columns of one parameter group.
"""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from diagnoser.training.stacked.rule import Group, Rule
from diagnoser.training.stacked.update_rules import Adagrad, Adam, AdamW, Sgd, is_decoupled

_KERNELS: dict[str, Callable[..., None] | None] = {
    name: getattr(torch, f"_fused_{name}_", None) for name in ("sgd", "adam", "adamw", "adagrad")
}
"""They have no public name, so another torch may lack them: then the rules for all trials together do it."""

Rows = list[Tensor]  # the rows of a tensor (N, W), or some of them


class FusedRule(Rule):
    """A rule that calls a kernel for each set of trials that agree."""

    kernel = ""
    pays_from = 0  # columns of a trial; measured on a CPU with one thread, torch 2.13, float32, 8 trials

    @classmethod
    def is_there(cls) -> bool:
        """Tell whether this torch has the kernel."""
        return _KERNELS[cls.kernel] is not None

    def __init__(self, groups: Sequence[Group], weights: Tensor) -> None:
        super().__init__(groups, weights)
        self._clock = torch.zeros((), dtype=torch.float32)  # the kernels want the number of the step as a tensor
        self._split: dict[str, Rows] = {}

    def keep(self, rows: Sequence[int]) -> None:
        super().keep(rows)
        self._split = {}

    def prepare(self) -> None:
        agreeing: dict[Hashable, list[int]] = {}
        for row in range(len(self.groups)):
            settings = tuple(self.now[name][row] for name in self.names)
            agreeing.setdefault((settings, self.begun[row]), []).append(row)
        self._calls = [(rows, self.states(rows), self.settings(rows[0])) for rows in agreeing.values()]

    def update(self, weights: Tensor, gradient: Tensor) -> None:
        self._clock.fill_(self.steps)
        all_weights, all_gradients = weights.unbind(), gradient.unbind()
        kernel = _KERNELS[self.kernel]
        assert kernel is not None
        for rows, states, settings in self._calls:
            kernel([all_weights[row] for row in rows], [all_gradients[row] for row in rows], *states, **settings)

    def rows_of(self, name: str, rows: Sequence[int]) -> Rows:
        """Return these rows of a state."""
        if name not in self._split:
            self._split[name] = list(self.state[name].unbind())
        return [self._split[name][row] for row in rows]

    def clocks(self, rows: Sequence[int]) -> Rows:
        """Return the number of the step, once for each of these rows."""
        return [self._clock] * len(rows)

    @abstractmethod
    def settings(self, row: int) -> dict[str, Any]:
        """Return the settings of this row's trial as the kernel wants them."""

    @abstractmethod
    def states(self, rows: Sequence[int]) -> list[Rows]:
        """Return the states of these rows as the kernel wants them."""


class FusedSgd(FusedRule):
    kernel = "sgd"
    pays_from = 20_000
    names = Sgd.names

    def prepare(self) -> None:
        momentum = self.now["momentum"]
        self._beginning = any(value != 0 and not begun for value, begun in zip(momentum, self.begun, strict=True))
        if any(momentum):
            self.add_state("momentum_buffer")
        super().prepare()

    def update(self, weights: Tensor, gradient: Tensor) -> None:
        super().update(weights, gradient)
        if self._beginning:
            self.begin_momentum()

    def settings(self, row: int) -> dict[str, Any]:
        chosen: dict[str, Any] = {name: self.now[name][row] for name in self.names}
        begins = chosen["momentum"] != 0 and not self.begun[row]
        nesterov = bool(self.groups[0]["nesterov"])
        return {**chosen, "nesterov": nesterov, "maximize": self.maximize, "is_first_step": begins}

    def states(self, rows: Sequence[int]) -> list[Rows]:
        return [self.rows_of("momentum_buffer", rows) if self.now["momentum"][rows[0]] != 0 else []]


class FusedAdam(FusedRule):
    kernel = "adam"
    pays_from = 4_000
    names = Adam.names

    def __init__(self, groups: Sequence[Group], weights: Tensor) -> None:
        super().__init__(groups, weights)
        self._amsgrad = bool(groups[0]["amsgrad"])
        if is_decoupled(groups[0]):
            self.kernel = "adamw"

    def prepare(self) -> None:
        self.add_state("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self._amsgrad else ()))
        super().prepare()

    def settings(self, row: int) -> dict[str, Any]:
        first, second = self.now["betas"][row]
        chosen = {name: self.now[name][row] for name in self.names if name != "betas"}
        return {**chosen, "beta1": first, "beta2": second, "amsgrad": self._amsgrad, "maximize": self.maximize}

    def states(self, rows: Sequence[int]) -> list[Rows]:
        largest = self.rows_of("max_exp_avg_sq", rows) if self._amsgrad else []
        return [self.rows_of("exp_avg", rows), self.rows_of("exp_avg_sq", rows), largest, self.clocks(rows)]


class FusedAdamW(FusedAdam):
    kernel = "adamw"
    names = AdamW.names


class FusedAdagrad(FusedRule):
    kernel = "adagrad"
    pays_from = 6_000
    names = Adagrad.names

    def settings(self, row: int) -> dict[str, Any]:
        return {**{name: self.now[name][row] for name in self.names}, "maximize": self.maximize}

    def states(self, rows: Sequence[int]) -> list[Rows]:
        return [self.rows_of("sum", rows), self.clocks(rows)]
