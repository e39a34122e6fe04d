"""Can these optimizers be made one? Only those whose update is written down here, and that nobody has a hand in."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer, optimizer

from diagnoser.training.stacked.unstackable import Unstackable

_SWITCHES: dict[type[Optimizer], tuple[str, ...]] = {
    torch.optim.SGD: ("nesterov", "maximize"),
    torch.optim.Adam: ("amsgrad", "maximize", "decoupled_weight_decay"),
    torch.optim.AdamW: ("amsgrad", "maximize"),
    torch.optim.RMSprop: ("centered", "maximize"),
    torch.optim.Adagrad: ("maximize",),
}
"""The optimizers that are stacked, with the settings that are no numbers: they make another update."""

_NAMES = "SGD, Adam, AdamW, RMSprop and Adagrad"


def require_stackable(optimizers: Sequence[Optimizer]) -> None:
    """Raise Unstackable unless all are of one kind, untouched, and differ in numbers only."""
    for one in optimizers:
        _require_known(one)
        _require_untouched(one)
    first = optimizers[0]
    for other in optimizers[1:]:
        if type(other) is not type(first):
            raise Unstackable(
                f"the trials have different optimizers: {type(first).__name__} and {type(other).__name__}"
            )
        if _shapes(other) != _shapes(first):
            raise Unstackable("the trials' optimizers have different parameter groups")
        for group, here in zip(first.param_groups, other.param_groups, strict=True):
            for name in _SWITCHES[type(first)]:
                if bool(group.get(name)) != bool(here.get(name)):
                    raise Unstackable(f"the optimizer's {name!r} differs between trials, and it is no number")


def starting_sums(one: Optimizer, group: int) -> float:
    """Return where Adagrad's sums of a group start: the constructor has filled them with one value."""
    for parameter in one.param_groups[group]["params"]:
        if parameter.numel():
            return float(one.state[parameter]["sum"].reshape(-1)[0])
    return 0.0


def _require_known(one: Optimizer) -> None:
    kind = type(one)
    if kind not in _SWITCHES:
        own = " of the program's own" if issubclass(kind, tuple(_SWITCHES)) else ""
        raise Unstackable(f"the optimizer is {kind.__name__}{own}: only torch's {_NAMES} are stacked")
    for group in one.param_groups:
        for name in ("capturable", "differentiable"):
            if group.get(name):
                raise Unstackable(f"the optimizer is {name}, which is not stacked")
        for name, value in _numbers(group):
            if isinstance(value, Tensor):
                raise Unstackable(f"the optimizer's {name!r} is a tensor, not a number")


def _require_untouched(one: Optimizer) -> None:
    hooks = (
        one._optimizer_step_pre_hooks,  # noqa: SLF001  # torch can register hooks, and not list them
        one._optimizer_step_post_hooks,  # noqa: SLF001
        optimizer._global_optimizer_pre_hooks,  # noqa: SLF001
        optimizer._global_optimizer_post_hooks,  # noqa: SLF001
    )
    if any(hooks):
        raise Unstackable("the optimizer has hooks")
    step = vars(one).get("step")
    if step is not None and not hasattr(step, "_wrapped_by_lr_sched"):  # torch's schedulers count the steps so
        raise Unstackable("the optimizer's step has been replaced")
    if isinstance(one, torch.optim.Adagrad):
        _require_fresh_sums(one)
    elif one.state:
        raise Unstackable("the optimizer has made steps already")


def _require_fresh_sums(one: torch.optim.Adagrad) -> None:
    for index, group in enumerate(one.param_groups):
        for parameter in group["params"]:
            state = one.state.get(parameter)
            if not state:
                raise Unstackable("a parameter was added to Adagrad later: it has no sum for it")
            if float(state["step"]) or not bool((state["sum"] == starting_sums(one, index)).all()):
                raise Unstackable("the optimizer has made steps already")


def _numbers(group: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in group.items():
        if name == "betas":
            yield from ((name, beta) for beta in value)
        elif name != "params":
            yield name, value


def _shapes(one: Optimizer) -> list[list[torch.Size]]:
    return [[parameter.shape for parameter in group["params"]] for group in one.param_groups]
