"""How good is the model now? Loss and metric over rows, without gradients, chance or traces."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Task
from diagnoser.training.batches import length
from diagnoser.training.data import Split
from diagnoser.training.metrics import Kept, confusion
from diagnoser.training.modes import batch_norms, batch_statistics, eval_mode, fresh_statistics
from diagnoser.training.randomness import derived, forked
from diagnoser.training.workload import Workload

LARGEST_VALIDATION = 5_000  # rows: a standard error of 0.7 pp at worst
LARGEST_TRAIN_SUBSET = 2_000
CHECK_ROWS = 512  # of the batch on which the initial loss is measured
NOISE_ROWS, NOISE_EVALUATIONS = 512, 5
_RECALIBRATION_BATCHES = 50
_MOST_CLASSES = 50  # of a confusion matrix in the evidence
_WORST_SHARE = 0.01  # of the rows, for the share of the squared error that they carry
_SEED = 20_261  # any fixed number: every evaluation draws the same noise


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What one evaluation saw."""

    loss: float
    metric: float
    kept: tuple[Kept, ...] = ()


Mode = Callable[[nn.Module], AbstractContextManager[None]]


def evaluate(
    workload: Workload,
    model: nn.Module,
    split: Split,
    *,
    rows: Tensor | None = None,
    mode: Mode = eval_mode,
    seed: int = _SEED,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    with_metric: bool = True,
    on_output: Callable[[Tensor], None] | None = None,
) -> Scores:
    """Compute loss (mean over rows) and metric of rows; modes, buffers and random states are as before afterwards.

    `on_output` is given what the model answered to each batch, before the loss sees it, where the loss is no step's.
    """
    metric, layout = workload.metric_function, workload.layout
    wants_outputs = with_metric and not metric.of_the_loss and layout is not None and layout.callable
    losses: list[tuple[Tensor, int]] = []
    kept: list[Kept] = []
    with mode(model), torch.no_grad(), forked(seed), autocast():
        for batch in _chunks(workload, split, rows):
            if workload.step is None and layout is not None:
                answer = layout.call(model, batch)
                output = layout.output(answer) if wants_outputs or on_output is not None else None
                if on_output is not None and output is not None:
                    on_output(output)
                losses.append((workload.loss_of_answer(answer, batch).detach(), length(batch)))
            else:
                losses.append((workload.loss(model, batch).detach(), length(batch)))
                output = workload.output(model, batch) if wants_outputs else None
            target = layout.target(batch) if layout is not None else None
            if wants_outputs and output is not None and target is not None:
                kept.append(metric.keep(output, target))
    total = sum(count for _, count in losses)
    loss = sum(float(value) * count for value, count in losses) / total if total else math.nan
    score = metric.score(kept, loss=loss) if with_metric else math.nan
    return Scores(loss=loss, metric=score, kept=tuple(kept))


@dataclass(frozen=True, kw_only=True)
class Start:
    """What an untrained model answers on the check batch."""

    loss: float
    outputs_std: float | None  # None: only the step knows how to call the model


def start(
    workload: Workload,
    model: nn.Module,
    split: Split,
    *,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Start:
    """Compute the initial loss and the spread of the outputs, BatchNorm on batch statistics; in one pass if it may."""
    rows, outputs = check_rows(split), list[Tensor]()
    callable_by_us = workload.layout is not None and workload.layout.callable
    at_once = callable_by_us and autocast is nullcontext  # under mixed precision the spread is read in full precision
    scores = evaluate(
        workload, model, split, rows=rows, mode=batch_statistics, autocast=autocast, with_metric=False,
        on_output=outputs.append if at_once else None,
    )  # fmt: skip
    if callable_by_us and not outputs:  # a step of the user's shows none
        with batch_statistics(model), torch.no_grad(), forked(_SEED):
            found = [workload.output(model, batch) for batch in _chunks(workload, split, rows)]
        outputs = [output for output in found if output is not None]
    return Start(loss=scores.loss, outputs_std=_spread(outputs) if callable_by_us else None)


def _spread(outputs: Sequence[Tensor]) -> float:
    values = torch.cat([output.detach().float().flatten().cpu() for output in outputs]) if outputs else torch.empty(0)
    return float(values.std()) if values.numel() > 1 else 0.0


def check_rows(split: Split, rows: int = CHECK_ROWS) -> Tensor:
    """Return a fixed random choice of rows, sorted: the same for every trial on these rows."""
    if rows >= split.rows:
        return torch.arange(split.rows)
    order = torch.randperm(split.rows, generator=torch.Generator().manual_seed(derived(_SEED, "check rows")))
    return order[:rows].sort().values


@dataclass(frozen=True, kw_only=True)
class BatchNormLosses:
    """The loss of one training batch under three readings of its BatchNorm."""

    train_mode: float
    eval_mode: float
    recalibrated: float


def batch_norm_losses(workload: Workload, model: nn.Module, split: Split) -> BatchNormLosses | None:
    """Compare batch statistics, running ones and freshly gathered ones; None without BatchNorm."""
    if not any(module.track_running_stats for module in batch_norms(model)):
        return None
    rows = check_rows(split, max(split.batch_size, min(CHECK_ROWS, workload.evaluation_rows(split))))

    def loss(mode: Mode) -> float:
        return evaluate(workload, model, split, rows=rows, mode=mode, with_metric=False).loss

    batch, running = loss(batch_statistics), loss(eval_mode)
    with fresh_statistics(model):
        with batch_statistics_kept(model), torch.no_grad(), forked(_SEED):
            seen = 0
            while seen < _RECALIBRATION_BATCHES:
                for given in split.batches(seed=_SEED, epoch=seen):
                    workload.loss(model, workload.to_device(given))
                    seen += 1
                    if seen >= _RECALIBRATION_BATCHES:
                        break
        fresh = loss(eval_mode)
    return BatchNormLosses(train_mode=batch, eval_mode=running, recalibrated=fresh)


class batch_statistics_kept:  # noqa: N801  # reads as a verb, like the modes
    """Eval mode with BatchNorm in train mode, so that it gathers statistics."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        for module in batch_norms(self.model):
            module.training = True

    def __exit__(self, *_: object) -> None:
        for module, mode in self.modes:
            module.training = mode


def evaluation_noise(workload: Workload, model: nn.Module, *, known: float | None = None) -> float | None:
    """Return the spread of the validation loss over evaluations with different random states; None if any is NaN.

    `known` is the loss of this model on all validation rows, if it was measured just now.
    """
    rows = check_rows(workload.validation, NOISE_ROWS)
    before = known if len(rows) == workload.validation.rows else None
    losses: list[float] = []
    for i in range(NOISE_EVALUATIONS):
        seed = derived(_SEED, "noise", i)
        losses.append(evaluate(workload, model, workload.validation, rows=rows, seed=seed, with_metric=False).loss)
        if before == losses[-1]:  # nothing random in eval mode: another random state gave the same digits
            return 0.0
        before = losses[-1] if i == 0 else None
    return statistics.stdev(losses) if all(map(math.isfinite, losses)) else None


def outlier_share(kept: tuple[Kept, ...]) -> float | None:
    """Return the share of the squared error that the worst 1 % of the rows carry."""
    pairs = [(outputs, targets) for outputs, targets in kept if outputs.numel() == targets.numel()]
    if not pairs:
        return None
    errors = torch.cat(
        [(o.double() - t.reshape(o.shape).double()).square().flatten(1 if o.ndim > 1 else 0) for o, t in pairs]
    )
    by_row = errors.reshape(len(errors), -1).sum(1)
    total = by_row.sum()
    worst = by_row.topk(max(1, round(_WORST_SHARE * len(by_row)))).values.sum()
    return float(worst / total) if total > 0 else None


@dataclass(frozen=True, kw_only=True)
class ByClass:
    """What was predicted, class by class."""

    prediction_counts: tuple[int, ...]
    recalls: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]


def by_class(workload: Workload, scores: Scores) -> ByClass | None:
    """Count predictions per class on validation; None for tasks without classes."""
    if workload.task not in {Task.CLASSIFICATION, Task.BINARY} or workload.metric_function.function is not None:
        return None
    if not scores.kept or workload.classes is None or workload.metric_name in {"mae", "r2"}:
        return None
    predictions = torch.cat([pair[0] for pair in scores.kept])
    truth = torch.cat([pair[1] for pair in scores.kept])
    if predictions.shape != truth.shape:
        return None
    counts = confusion(predictions, truth, classes=workload.classes)
    totals = counts.sum(1).double()
    recalls = torch.where(totals > 0, counts.diagonal() / totals, torch.nan)
    table = counts.tolist() if workload.classes <= _MOST_CLASSES else []
    return ByClass(
        prediction_counts=tuple(torch.bincount(predictions.clamp(0), minlength=workload.classes).tolist()),
        recalls=tuple(recalls.tolist()),
        confusion=tuple(tuple(row) for row in table),
    )


def _chunks(workload: Workload, split: Split, rows: Tensor | None) -> Iterator[Any]:
    chosen = torch.arange(split.rows) if rows is None else rows
    size = workload.evaluation_rows(split)
    device = split.device_of_rows()  # rows are taken where they lie
    for chunk in torch.split(chosen.to(device), size):
        yield workload.to_device(split.take(chunk))
