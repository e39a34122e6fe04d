"""How does each transform change the inputs? Filled, standardised, or validation's mapped onto training's."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.batches import Batch
from diagnoser.training.data import Split
from diagnoser.training.evaluation import check_rows
from diagnoser.training.layout import Layout
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

ROWS_FOR_STATISTICS = 5_000  # of a split: mean and std to about 1.5 %
_MOST_CHANNELS = 4  # of a picture: grey, RGB or RGBA; feature maps have more


def impute_inputs(workload: Workload) -> Workload:
    """Fill NaN and infinity with the median of the training rows; an input that is its own target is filled as well."""
    layout, sample = _sample(workload)
    known = sample.masked_fill(~torch.isfinite(sample), torch.nan)
    median = (known.nanmedian(0).values if sample.ndim == 2 else known.nanmedian()).nan_to_num()

    def change(batch: Batch) -> Any:
        first = layout.first_input(batch)
        return layout.map_inputs(batch, lambda x: torch.where(torch.isfinite(x), x, median.to(x)) if x is first else x)

    return with_change(workload, change)


def standardise_inputs(workload: Workload) -> Workload:
    """(x - mean) / std of the training rows: per column for tables, one mean and one std for pictures and sequences."""
    if loss_reads_inputs(workload):
        return workload  # the model alone shall see them so: see `standardise_at_the_door`
    layout, sample = _sample(workload)
    mean, std = statistics(sample)

    def change(batch: Batch) -> Any:
        first = layout.first_input(batch)
        shift, scale = mean.to(first.device), std.to(first.device)
        return layout.map_inputs(batch, lambda x: (x - shift) / scale if x is first else x)

    return with_change(workload, change)


def loss_reads_inputs(workload: Workload) -> bool:
    """Tell whether the batch may be its own target: other inputs in it would be another loss."""
    return workload.spec.step is not None or (workload.layout is not None and workload.layout.target_is_input)


def standardise_at_the_door(model: nn.Module, workload: Workload) -> None:
    """Let the model alone see standardised inputs: the loss is computed from the batch as the user gave it."""
    _, sample = _sample(workload)
    mean, std = statistics(sample)

    def standardised(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            (arg - mean.to(arg)) / std.to(arg)
            if isinstance(arg, Tensor) and arg.is_floating_point() and arg.shape[1:] == sample.shape[1:]
            else arg
            for arg in args
        )

    model.register_forward_pre_hook(standardised)


def validation_as_training(workload: Workload) -> Workload:
    """Map validation's inputs onto the moments of training: per column, per channel of a picture, else all at once.

    A third split is left alone: nobody knows which of the two it is like.
    """
    layout, train = _sample(workload)
    _, validation = _sample(workload, workload.validation)
    if train.shape[1:] != validation.shape[1:]:
        raise Unsupported("inputs of training and validation differ in shape")
    mean, std = _moments(train)
    other_mean, other_std = _moments(validation)
    if torch.equal(mean, other_mean) and torch.equal(std, other_std):
        raise Unsupported("the validation inputs have the moments of training")

    def change(batch: Batch) -> Any:
        first = layout.first_input(batch)
        shift, scale, here, width = (part.to(first.device) for part in (mean, std, other_mean, other_std))
        return layout.map_inputs(batch, lambda x: (x - here) / width * scale + shift if x is first else x)

    return replace(workload, validation=workload.validation.with_change(change))


def _moments(sample: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and std in a shape that broadcasts against rows; what does not vary there is only shifted."""
    if sample.ndim != 4 or sample.shape[1] > _MOST_CHANNELS:
        return statistics(sample)
    mean, std = statistics(sample.movedim(1, -1).flatten(0, -2))  # (rows x pixels, C)
    return mean.reshape(-1, 1, 1), std.reshape(-1, 1, 1)


def _sample(workload: Workload, split: Split | None = None) -> tuple[Layout, Tensor]:
    """Return some rows of the first input, to measure them; of training, if no other split is named."""
    layout, split = workload.layout, split or workload.train
    if layout is None:
        raise Unsupported("inputs cannot be told from targets in this batch")
    sample = layout.first_input(split.take(check_rows(split, ROWS_FOR_STATISTICS)))
    if not sample.is_floating_point():
        raise Unsupported("the inputs are whole numbers (tokens or codes), not measurements")
    return layout, sample


def statistics(values: Tensor) -> tuple[Tensor, Tensor]:
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


def with_change(workload: Workload, change: Any) -> Workload:
    """Change the batches of every split."""
    test = workload.test.with_change(change) if workload.test is not None else None
    return replace(
        workload,
        train=workload.train.with_change(change),
        validation=workload.validation.with_change(change),
        test=test,
    )
