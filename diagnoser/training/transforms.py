"""Which changes to the live model, data or loss can a machine make? The closed list of trials.Transform, applied."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from diagnoser.training import layer_changes
from diagnoser.training.batches import Batch
from diagnoser.training.evaluation import check_rows
from diagnoser.training.layout import Layout
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform

_ROWS_FOR_STATISTICS = 5_000  # of training rows: mean and std to about 1.5 %


def apply(model: nn.Module, workload: Workload, transforms: tuple[Transform, ...]) -> nn.Module:
    """Change the layers of a fresh model. Raises Unsupported when there is nothing to change."""
    for transform in transforms:
        change = layer_changes.CHANGES.get(transform)
        if change is not None:
            change(model, workload)
    if Transform.STANDARDISE_INPUTS in transforms and _loss_reads_inputs(workload):
        _standardise_at_the_door(model, workload)
    return model


def apply_to_workload(workload: Workload, transforms: tuple[Transform, ...]) -> Workload:
    """Change data and loss, for training and evaluation alike. Raises Unsupported."""
    if Transform.IMPUTE_INPUTS in transforms:
        workload = _imputed_inputs(workload)
    if Transform.STANDARDISE_INPUTS in transforms and not _loss_reads_inputs(workload):
        workload = _standardised_inputs(workload)
    if Transform.STANDARDISE_TARGETS in transforms:
        workload = _standardised_targets(workload)
    if Transform.VIEW_TARGET_AS_OUTPUT in transforms:
        if workload.loss_function is None:
            raise Unsupported("the target is compared with the output inside the step")
        workload = replace(workload, loss_function=replace(workload.loss_function, view_target=True))
    return workload


def apply_to_optimizer(optimizer: Optimizer, model: nn.Module, transforms: tuple[Transform, ...]) -> None:
    """Give the optimizer the parameters that it misses."""
    if Transform.ALL_PARAMETERS_IN_OPTIMIZER not in transforms:
        return
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    missing = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    if not missing:
        raise Unsupported("the optimizer already has every trainable parameter")
    optimizer.add_param_group({"params": missing})


def _imputed_inputs(workload: Workload) -> Workload:
    """Fill NaN and infinity with the median of the training rows; an input that is its own target is filled as well."""
    layout, sample = _sample(workload)
    known = sample.masked_fill(~torch.isfinite(sample), torch.nan)
    median = (known.nanmedian(0).values if sample.ndim == 2 else known.nanmedian()).nan_to_num()

    def change(batch: Batch) -> Any:
        first = layout.first_input(batch)
        return layout.map_inputs(batch, lambda x: torch.where(torch.isfinite(x), x, median.to(x)) if x is first else x)

    return _with_change(workload, change)


def _standardised_inputs(workload: Workload) -> Workload:
    """(x - mean) / std of the training rows: per column for tables, one mean and one std for pictures and sequences."""
    layout, sample = _sample(workload)
    mean, std = _statistics(sample)

    def change(batch: Batch) -> Any:
        first = layout.first_input(batch)
        shift, scale = mean.to(first.device), std.to(first.device)
        return layout.map_inputs(batch, lambda x: (x - shift) / scale if x is first else x)

    return _with_change(workload, change)


def _loss_reads_inputs(workload: Workload) -> bool:
    """Tell whether the batch may be its own target: other inputs in it would be another loss."""
    return workload.spec.step is not None or (workload.layout is not None and workload.layout.target_is_input)


def _standardise_at_the_door(model: nn.Module, workload: Workload) -> None:
    """Let the model alone see standardised inputs: the loss is computed from the batch as the user gave it."""
    _, sample = _sample(workload)
    mean, std = _statistics(sample)

    def standardised(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            (arg - mean.to(arg)) / std.to(arg)
            if isinstance(arg, Tensor) and arg.is_floating_point() and arg.shape[1:] == sample.shape[1:]
            else arg
            for arg in args
        )

    model.register_forward_pre_hook(standardised)


def _sample(workload: Workload) -> tuple[Layout, Tensor]:
    """Return some rows of the first input, to measure them."""
    layout = workload.layout
    if layout is None:
        raise Unsupported("inputs cannot be told from targets in this batch")
    sample = layout.first_input(workload.train.take(check_rows(workload.train, _ROWS_FOR_STATISTICS)))
    if not sample.is_floating_point():
        raise Unsupported("the inputs are whole numbers (tokens or codes), not measurements")
    return layout, sample


def _standardised_targets(workload: Workload) -> Workload:
    layout = workload.layout
    target = layout.target(workload.train.take(check_rows(workload.train, _ROWS_FOR_STATISTICS))) if layout else None
    if layout is None or layout.target_at is None or target is None or not target.is_floating_point():
        raise Unsupported("the targets are no real numbers of their own")
    mean, std = _statistics(target)

    def change(batch: Batch) -> Any:
        y = layout.target_object(batch)
        return layout.with_target(batch, (y - mean.to(y.device)) / std.to(y.device))

    return _with_change(workload, change)


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and std over finite values; a constant column is only shifted."""
    flat = values.double()
    flat = flat if values.ndim == 2 else flat.reshape(-1, 1)
    flat = flat.masked_fill(~torch.isfinite(flat), torch.nan)
    mean = flat.nanmean(0).nan_to_num()
    std = (flat - mean).square().nanmean(0).sqrt().nan_to_num()
    std = torch.where(std > 0, std, torch.ones_like(std))
    if values.ndim != 2:
        mean, std = mean.reshape(()), std.reshape(())
    return mean.to(values.dtype), std.to(values.dtype)


def _with_change(workload: Workload, change: Any) -> Workload:
    test = workload.test.with_change(change) if workload.test is not None else None
    return replace(
        workload,
        train=workload.train.with_change(change),
        validation=workload.validation.with_change(change),
        test=test,
    )
