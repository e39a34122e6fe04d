"""How are the weights of all trials changed by one operation each? Every optimizer's update, in torch's own order.

The order decides what is rounded, and what overflows: weight decay before momentum, `(1 - beta) * g * g` from the
left, epsilon beside the corrected root. Adam alone is rearranged: root(v) / c + eps = (root(v) + eps * c) / c, and
that c joins the learning rate.

Shapes: N trials, W columns of one parameter group.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from diagnoser.training.stacked.numbers import Number, add_, add_square_, number
from diagnoser.training.stacked.rule import Group, Rule


class TogetherRule(Rule):
    """A rule made of a few operations, each on the weights of all trials."""

    def __init__(self, groups: Sequence[Group], weights: Tensor) -> None:
        super().__init__(groups, weights)
        self._made: dict[tuple[float, ...], Number] = {}
        self._make_room()

    def keep(self, rows: Sequence[int]) -> None:
        super().keep(rows)
        self._make_room()

    def _make_room(self) -> None:
        self.scratch = self.empty()
        self._descent: Tensor | None = None  # made when first wanted

    def prepare(self) -> None:
        self._former, self._made = self._made, {}
        self.down = self.number([-lr for lr in self.now["lr"]])
        self._penalty = self.number(self.now["weight_decay"])

    def number(self, values: Sequence[float]) -> Number:
        """Make a number of one value for each trial; one that was there before need not be made again."""
        key = tuple(values)
        former = self._former.get(key)
        self._made[key] = number(key, self.like) if former is None else former
        return self._made[key]

    def minimised(self, weights: Tensor, gradient: Tensor, *, penalty: bool = True) -> Tensor:
        """Return the gradient of what is minimised: turned round if asked, and with the penalty's own."""
        penalised = penalty and (isinstance(self._penalty, Tensor) or self._penalty != 0)
        if not (penalised or self.maximize):
            return gradient
        if self._descent is None:
            self._descent = self.empty()
        if self.maximize:
            gradient = torch.neg(gradient, out=self._descent)
        if penalised and isinstance(self._penalty, Tensor):
            gradient = torch.addcmul(gradient, weights, self._penalty, out=self._descent)
        elif penalised:
            gradient = torch.add(gradient, weights, alpha=self._penalty, out=self._descent)  # type: ignore[arg-type]
        return gradient


class MomentumRule(TogetherRule):
    """A rule with a momentum that may be zero in some trials, and may come and go under a schedule."""

    nesterov = False

    def prepare(self) -> None:
        super().prepare()
        momentum = self.now["momentum"]
        self._moves = any(momentum)
        self._beginning = any(value != 0 and not begun for value, begun in zip(momentum, self.begun, strict=True))
        self._momentum = self.number(momentum)
        # What comes into a buffer that has not begun, or without momentum, stays alone in it, and is that trial's step.
        self._held = self.number([value if begun else 0.0 for value, begun in zip(momentum, self.begun, strict=True)])
        self._intake = self.number(self.intakes())
        resting = [row for row, value in enumerate(momentum) if value == 0 and self.begun[row]]
        self._resting = torch.tensor(resting, device=self.like.device) if resting else None
        if self._moves:
            self.add_state("momentum_buffer")

    def intakes(self) -> list[float]:
        """Say how much of a direction a trial's buffer takes in."""
        return [1.0] * len(self.begun)

    @abstractmethod
    def direction(self, weights: Tensor, gradient: Tensor) -> Tensor:
        """Return what momentum is to gather."""

    def update(self, weights: Tensor, gradient: Tensor) -> None:
        step = self.direction(weights, gradient)
        if self._moves:
            step = self._moved(step)
        add_(weights, step, self.down)
        if self._moves and self._resting is not None:  # torch leaves a buffer alone while its momentum is zero
            self.state["momentum_buffer"][self._resting] = self._before
        if self._beginning:
            self.begin_momentum()

    def _moved(self, direction: Tensor) -> Tensor:
        buffer = self.state["momentum_buffer"]
        if self._resting is not None:
            self._before = buffer[self._resting]
        add_(buffer.mul_(self._held), direction, self._intake)
        if not self.nesterov:
            return buffer
        if isinstance(self._momentum, Tensor):
            return torch.addcmul(direction, buffer, self._momentum, out=self.scratch)
        return torch.add(direction, buffer, alpha=self._momentum, out=self.scratch)


class Sgd(MomentumRule):
    names = ("lr", "weight_decay", "momentum", "dampening")

    def prepare(self) -> None:
        super().prepare()
        self.nesterov = bool(self.groups[0]["nesterov"])

    def intakes(self) -> list[float]:
        gathering = [value != 0 and begun for value, begun in zip(self.now["momentum"], self.begun, strict=True)]
        return [1 - dampening if on else 1.0 for dampening, on in zip(self.now["dampening"], gathering, strict=True)]

    def direction(self, weights: Tensor, gradient: Tensor) -> Tensor:
        return self.minimised(weights, gradient)


class RmsProp(MomentumRule):
    names = ("lr", "weight_decay", "momentum", "alpha", "eps")

    def prepare(self) -> None:
        super().prepare()
        self._centered = bool(self.groups[0]["centered"])
        self._alpha = self.number(self.now["alpha"])
        self._new = self.number([1 - alpha for alpha in self.now["alpha"]])
        self._eps = self.number(self.now["eps"])
        self.add_state("square_avg", *(("grad_avg",) if self._centered else ()))

    def direction(self, weights: Tensor, gradient: Tensor) -> Tensor:
        gradient, square, root = self.minimised(weights, gradient), self.state["square_avg"], self.scratch
        add_square_(square.mul_(self._alpha), gradient, self._new, scratch=root)
        if self._centered:
            mean = self.state["grad_avg"].lerp_(gradient, self._new)
            torch.addcmul(square, mean, mean, value=-1, out=root).sqrt_()
        else:
            torch.sqrt(square, out=root)
        return torch.div(gradient, root.add_(self._eps), out=root)


class Adagrad(TogetherRule):
    names = ("lr", "weight_decay", "lr_decay", "eps")

    def prepare(self) -> None:
        super().prepare()
        self._eps = self.number(self.now["eps"])
        self._slows = any(self.now["lr_decay"])

    def update(self, weights: Tensor, gradient: Tensor) -> None:
        gradient = self.minimised(weights, gradient)
        total = self.state["sum"].addcmul_(gradient, gradient)
        root = torch.sqrt(total, out=self.scratch).add_(self._eps)
        down = self.down
        if self._slows:
            slowed = zip(self.now["lr"], self.now["lr_decay"], strict=True)
            down = number([-lr / (1 + (self.steps - 1) * decay) for lr, decay in slowed], self.like)
        add_(weights, torch.div(gradient, root, out=root), down)


class Adam(TogetherRule):
    """The penalty is in the gradient, or, decoupled, shrinks the weights beside it."""

    decoupled = False
    names = ("lr", "weight_decay", "betas", "eps")

    def prepare(self) -> None:
        super().prepare()
        betas = self.now["betas"]
        self._alike = len(set(betas)) == 1
        self._new_first = self.number([1 - first for first, _ in betas])
        self._second = self.number([second for _, second in betas])
        self._new_second = self.number([1 - second for _, second in betas])
        self._eps = self.number(self.now["eps"])
        shrinking = zip(self.now["lr"], self.now["weight_decay"], strict=True)
        self._shrunk = self.number([1 - lr * decay for lr, decay in shrinking])
        self._decoupled = self.decoupled or is_decoupled(self.groups[0])
        self._shrinks = self._decoupled and any(self.now["weight_decay"])
        self._amsgrad = bool(self.groups[0]["amsgrad"])
        self.add_state("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self._amsgrad else ()))

    def update(self, weights: Tensor, gradient: Tensor) -> None:
        gradient = self.minimised(weights, gradient, penalty=not self._decoupled)
        if self._shrinks:
            weights.mul_(self._shrunk)
        mean, square, root = self.state["exp_avg"], self.state["exp_avg_sq"], self.scratch
        mean.lerp_(gradient, self._new_first)
        add_square_(square.mul_(self._second), gradient, self._new_second, scratch=root)
        if self._amsgrad:
            largest = self.state["max_exp_avg_sq"]
            square = torch.maximum(largest, square, out=largest)
        torch.sqrt(square, out=root)
        if self._alike:  # as nearly always: no column has to be made in each step
            first, second = _corrections(self.now["betas"][0], self.steps)
            root.add_(self._eps, alpha=second)
            add_(weights, torch.div(mean, root, out=root), self.down, times=second / first)
            return
        corrections = [_corrections(betas, self.steps) for betas in self.now["betas"]]
        small = [eps * second for eps, (_, second) in zip(self.now["eps"], corrections, strict=True)]
        down = [-lr * second / first for lr, (first, second) in zip(self.now["lr"], corrections, strict=True)]
        root.add_(number(small, self.like))
        add_(weights, torch.div(mean, root, out=root), number(down, self.like))


class AdamW(Adam):
    decoupled = True


def is_decoupled(group: Group) -> bool:
    """Tell whether an Adam's weight decay stays out of its moments; before torch 2.7 it has no such setting."""
    return bool(group.get("decoupled_weight_decay", False))


def _corrections(betas: tuple[float, float], steps: int) -> tuple[float, float]:
    """Return by what the first moment is divided, and the root of the second one."""
    first, second = betas
    return 1 - first**steps, math.sqrt(1 - second**steps)
