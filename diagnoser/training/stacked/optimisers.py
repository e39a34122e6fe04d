"""How do the optimizers of N trials become one? It changes the weights of all trials in one step.

The lone optimizers, built as ever, stay the place where settings live: schedules write there, each step reads them.
An update gives what the lone optimizers would give, but for the last bits.

Shapes: N trials, P trained numbers of one trial.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from diagnoser.training.stacked.fused_rules import FusedAdagrad, FusedAdam, FusedAdamW, FusedRule, FusedSgd
from diagnoser.training.stacked.rule import Rule
from diagnoser.training.stacked.stackable import require_stackable, starting_sums
from diagnoser.training.stacked.unstackable import Unstackable
from diagnoser.training.stacked.update_rules import Adagrad, Adam, AdamW, RmsProp, Sgd

_RULES: dict[type[Optimizer], tuple[type[Rule], type[FusedRule] | None]] = {
    torch.optim.SGD: (Sgd, FusedSgd),
    torch.optim.Adam: (Adam, FusedAdam),
    torch.optim.AdamW: (AdamW, FusedAdamW),
    torch.optim.RMSprop: (RmsProp, None),
    torch.optim.Adagrad: (Adagrad, FusedAdagrad),
}

_FUSED_FROM = (
    1_000  # columns of a group: from there on a kernel for each trial is faster on a CPU (measured, see below)
)

_CLIP_EPS = 1e-6  # as in torch.nn.utils.clip_grad_norm_


@dataclass(frozen=True, kw_only=True)
class Layout:
    """In which order parameters lie in the flat tensor."""

    parameters: tuple[Tensor, ...]
    columns: tuple[slice, ...]  # of each parameter group


def layout(optimizer: Optimizer, *, trained: Collection[Tensor] | None = None) -> Layout:
    """Lay the parameters that need gradients out group by group; with `trained`, only those among them.

    Raises Unstackable where they do not fit into one tensor.
    """
    wanted = None if trained is None else {id(parameter) for parameter in trained}
    parameters: list[Tensor] = []
    columns: list[slice] = []
    end = 0
    for group in optimizer.param_groups:
        chosen = [p for p in group["params"] if p.requires_grad and (wanted is None or id(p) in wanted)]
        start, end = end, end + sum(parameter.numel() for parameter in chosen)
        parameters += chosen
        columns.append(slice(start, end))
    kinds = {(parameter.dtype, parameter.device) for parameter in parameters}
    if len(kinds) > 1:
        raise Unstackable("the parameters are of several types, or on several devices")
    if not {dtype for dtype, _ in kinds} <= {torch.float32, torch.float64}:
        raise Unstackable("the parameters are neither float32 nor float64")
    return Layout(parameters=tuple(parameters), columns=tuple(columns))


class StackedOptimizer:
    """The optimizers of N trials as one.

    Covers: settings that differ between trials and change while they train, several parameter groups, groups that are
    frozen at first, trials that end. Does not cover: closures, gradient scalers, sparse gradients.
    """

    def __init__(
        self, optimizers: Sequence[Optimizer], columns: Sequence[slice], *, weights: Tensor, fused: bool | None = None
    ) -> None:
        """Make one of optimizers that have made no step. Raises Unstackable.

        `columns` are those of each parameter group in the weights (N, P). `fused` says whether torch's fused kernels
        do the update where there are any; by default what was measured to be faster decides.
        """
        require_stackable(optimizers)
        kind = type(optimizers[0])
        self.columns = tuple(columns)
        self._rules: list[Rule | None] = []
        for index, part in enumerate(self.columns):
            held = weights.detach()[:, part]
            if held.shape[1] == 0:
                self._rules.append(None)
                continue
            rule = _rule_for(kind, held, fused=fused)([one.param_groups[index] for one in optimizers], held)
            if kind is torch.optim.Adagrad:
                rule.set_state("sum", [starting_sums(one, index) for one in optimizers])
            self._rules.append(rule)

    @property
    def state(self) -> tuple[dict[str, Tensor], ...]:
        """The state of each parameter group, by torch's names, each tensor (N, columns of the group)."""
        return tuple({} if rule is None else rule.state for rule in self._rules)

    def step(self, weights: Tensor, gradient: Tensor, *, frozen: Collection[int] = ()) -> None:
        """Update the weights (N, P) in place; the gradient (N, P) is left as it was.

        Groups in `frozen` have no gradient in this step: nothing of theirs moves, as torch skips such parameters.
        """
        with torch.no_grad():
            weights, gradient = weights.detach(), gradient.detach()
            for index, (part, rule) in enumerate(zip(self.columns, self._rules, strict=True)):
                if rule is None or index in frozen:
                    continue
                if len(self.columns) == 1:  # a slice costs as much as a small operation
                    rule.step(weights, gradient)
                else:
                    rule.step(weights[:, part], gradient[:, part])

    def keep(self, rows: Sequence[int] | Tensor) -> None:
        """Go on with these trials only, in this order."""
        chosen: list[int] = rows.tolist() if isinstance(rows, Tensor) else list(rows)
        for rule in self._rules:
            if rule is not None:
                rule.keep(chosen)


def clip_(gradient: Tensor, max_norm: float) -> Tensor:
    """Scale each trial's gradient (N, P) down to this norm, in place; return the norms from before, (N,).

    As torch.nn.utils.clip_grad_norm_ for each trial: a norm that is NaN makes that trial's gradient NaN, and no other.
    """
    with torch.no_grad():
        norms: Tensor = torch.linalg.vector_norm(gradient, dim=1)  # (N,)
        shares = (max_norm / (norms + _CLIP_EPS)).clamp_(max=1.0)
        gradient.mul_(shares.unsqueeze(1))
    return norms


def _rule_for(kind: type[Optimizer], weights: Tensor, *, fused: bool | None) -> type[Rule]:
    together, by_kernel = _RULES[kind]
    if by_kernel is None or not by_kernel.is_there():
        return together
    if fused is None:
        fused = weights.device.type == "cpu" and weights.shape[1] >= by_kernel.pays_from
    return by_kernel if fused else together
