"""Which optimizer and which schedule does the spec ask for, built on live parameters?"""

import inspect
import warnings
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim import lr_scheduler as torch_schedulers

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import Optimizer as OptimizerSpec
from diagnoser.spec.fields import Scheduler as SchedulerSpec
from diagnoser.spec.names import SCHEDULER_ALIASES
from diagnoser.training.failures import USER_STOPS, user_code_error
from diagnoser.training.resolve import import_attribute, parameters_of

# Where the user leaves a schedule's shape open: drops at thirds of a run are common practice, and so is two decades.
_STEP_SHARE = 1 / 3  # of the run between two drops of `step`
_EXPONENTIAL_END = 0.01  # of the first lr, reached at the end of `exponential`


def build_optimizer(
    given: OptimizerSpec, model: nn.Module, *, folder: Path, factory: Callable[..., Any] | None = None
) -> Optimizer:
    """Build the optimizer: by name with groups, or by the user's factory. Raises UserCodeError."""
    if factory is None and given.factory is not None:
        factory = import_attribute(given.factory, folder=folder)
    if factory is not None:
        return _by_factory(factory, given, model)
    found: dict[str, Any] = {name.lower(): item for name, item in vars(torch.optim).items() if inspect.isclass(item)}
    kind = found.get(given.name.lower().replace("_", ""))
    if kind is None or kind is Optimizer:
        raise UserCodeError(f"optimizer: torch.optim {torch.__version__} has no {given.name!r}")
    groups = _groups(given, model)
    settings = _settings(given, kind, model)
    try:
        built: Optimizer = kind(groups, **settings)
    except USER_STOPS as error:
        raise user_code_error(f"optimizer: {kind.__name__} could not be built with {settings}", error) from error
    return built


def effective_lr(optimizer: Optimizer) -> float:
    """Return the lr of the group with the most parameters: what the optimizer really got."""
    largest = max(optimizer.param_groups, key=lambda group: sum(p.numel() for p in group["params"]))
    return float(largest["lr"])


def set_weight_decay(optimizer: Optimizer, value: float) -> None:
    """Set the weight decay of every group that has one."""
    for group in optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = value


def _by_factory(factory: Callable[..., Any], given: OptimizerSpec, model: nn.Module) -> Optimizer:
    wanted: dict[str, Any] = {"lr": given.lr, "weight_decay": given.weight_decay, **given.args}
    if given.momentum is not None:
        wanted["momentum"] = given.momentum
    names = parameters_of(factory)
    if names is not None:
        wanted = {key: value for key, value in wanted.items() if key in names or key in given.args}
    try:
        made = factory(model, **wanted)
    except USER_STOPS as error:
        raise user_code_error(f"optimizer: {given.factory or 'the factory'} failed", error) from error
    if not hasattr(made, "param_groups") or not hasattr(made, "step"):
        raise UserCodeError(f"optimizer: the factory must return a torch optimizer; it returned {type(made).__name__}")
    return made  # type: ignore[no-any-return]  # checked by its attributes: wrappers are not subclasses


def _groups(given: OptimizerSpec, model: nn.Module) -> list[dict[str, Any]]:
    """Share the parameters out: the first group whose pattern matches a name has it."""
    groups: list[dict[str, Any]] = [
        {"params": [], "lr": given.lr * group.lr_scale, "frozen_epochs": group.frozen_epochs} for group in given.groups
    ]
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        for pattern, group in zip(given.groups, groups, strict=True):
            if fnmatchcase(name, pattern.match):
                group["params"].append(parameter)
                break
        else:
            rest.append(parameter)
    for pattern, group in zip(given.groups, groups, strict=True):
        if not group["params"]:
            known = ", ".join(name for name, _ in list(model.named_parameters())[:8])
            raise UserCodeError(f"optimizer.groups: {pattern.match!r} matches no parameter; there are {known}, ...")
    return [group for group in ({"params": rest}, *groups) if group["params"]]


def _settings(given: OptimizerSpec, kind: type[Optimizer], model: nn.Module) -> dict[str, Any]:
    known = inspect.signature(kind).parameters
    settings: dict[str, Any] = {"lr": given.lr}
    if "weight_decay" in known:
        settings["weight_decay"] = given.weight_decay
    if given.momentum is not None:
        if "momentum" in known:
            settings["momentum"] = given.momentum
        elif "betas" in known:  # Adam's first moment is its momentum
            settings["betas"] = (given.momentum, known["betas"].default[1])
    settings.update(given.args)
    for key in ("betas",):
        if isinstance(settings.get(key), list):
            settings[key] = tuple(settings[key])
    if "fused" in known and not {"fused", "foreach", "differentiable", "capturable"} & set(settings):
        settings["fused"] = True if _can_fuse(model) else None
    return settings


def _can_fuse(model: nn.Module) -> bool:
    """Tell whether the fused kernels take these parameters: plain floats of one kind of device, dense gradients."""
    sparse = any(getattr(module, "sparse", False) for module in model.modules())
    parameters = list(model.parameters())
    devices = {parameter.device.type for parameter in parameters}
    return (
        not sparse
        and len(devices) == 1
        and devices <= {"cpu", "cuda"}
        and all(p.is_floating_point() for p in parameters)
    )


class Schedule:
    """A learning-rate schedule and its warm-up: told of each update and each epoch, it sets the optimizer's lr.

    The warm-up multiplies whatever the schedule says by a ramp over the first updates.
    """

    def __init__(
        self, scheduler: Any | None, optimizer: Optimizer, *, by_update: bool, by_loss: bool, warmup_updates: int
    ) -> None:
        self.scheduler = scheduler  # torch's own object; None: a warm-up alone
        self.optimizer = optimizer
        self.by_update = by_update
        self.by_loss = by_loss  # `plateau`: wants the validation loss
        self._warmup = warmup_updates
        self._updates = 0
        self._lrs = [group["lr"] for group in optimizer.param_groups]
        self._ramp()

    def after_update(self) -> None:
        """Follow one update of the optimizer."""
        self._updates += 1
        if self.by_update and not self.by_loss:
            self._advance()
        if self._updates <= self._warmup:
            self._ramp()

    def after_epoch(self, validation_loss: float | None = None) -> None:
        """Follow one epoch."""
        if self.by_loss:
            self._advance(validation_loss)
        elif not self.by_update:
            self._advance()

    def _advance(self, loss: float | None = None) -> None:
        if self.scheduler is None:
            return
        ramping = self._warmup > 0
        if ramping:  # torch's schedulers go on from the lr that they find
            for group, lr in zip(self.optimizer.param_groups, self._lrs, strict=True):
                group["lr"] = lr
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a scaler may have skipped the optimizer's first step
            if not self.by_loss:
                self.scheduler.step()
            elif loss is not None:
                self.scheduler.step(loss)
        if ramping:
            self._lrs = [group["lr"] for group in self.optimizer.param_groups]
            self._ramp()

    def _ramp(self) -> None:
        if self._warmup > 0:
            share = min(1.0, (self._updates + 1) / self._warmup)
            for group, lr in zip(self.optimizer.param_groups, self._lrs, strict=True):
                group["lr"] = lr * share


def build_schedule(
    given: SchedulerSpec | None, optimizer: Optimizer, *, total_updates: int, updates_per_epoch: int
) -> Schedule | None:
    """Build the schedule over the user's whole run. Raises UserCodeError."""
    if given is None:
        return None
    by_update = given.interval == "step"
    length = max(1, total_updates if by_update else -(-total_updates // updates_per_epoch))
    name = SCHEDULER_ALIASES.get(given.name, given.name)
    found: dict[str, Any] = {key.lower(): item for key, item in vars(torch_schedulers).items() if inspect.isclass(item)}
    kind = found.get(name.lower())
    if kind is None:
        raise UserCodeError(f"scheduler: torch.optim.lr_scheduler {torch.__version__} has no {given.name!r}")
    args = {**_defaults(given.name, length, optimizer), **given.args}
    try:
        scheduler = kind(optimizer, **args)
    except USER_STOPS as error:
        raise user_code_error(f"scheduler: {name} could not be built with {args}", error) from error
    return Schedule(
        scheduler,
        optimizer,
        by_update=by_update,
        by_loss=isinstance(scheduler, torch_schedulers.ReduceLROnPlateau),
        warmup_updates=round(given.warmup * total_updates),
    )


def _defaults(name: str, length: int, optimizer: Optimizer) -> dict[str, Any]:
    """Say what the length of the run implies; what the user gives wins."""
    match name:
        case "cosine" | "CosineAnnealingLR":
            return {"T_max": length}
        case "step" | "StepLR":
            return {"step_size": max(1, round(length * _STEP_SHARE))}
        case "exponential" | "ExponentialLR":
            return {"gamma": _EXPONENTIAL_END ** (1 / length)}
        case "one_cycle" | "OneCycleLR":
            return {"max_lr": [group["lr"] for group in optimizer.param_groups], "total_steps": length + 1}
        case "linear":
            return {"start_factor": 1.0, "end_factor": 0.0, "total_iters": length}
        case "LinearLR" | "ConstantLR" | "PolynomialLR":
            return {"total_iters": length}
        case _:
            return {}
