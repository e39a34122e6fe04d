"""How good are the answers? Each metric over all rows, from what is kept of each batch."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diagnoser.spec.fields import Task
from diagnoser.spec.names import METRIC_HIGHER_IS_BETTER

Kept = tuple[Tensor, Tensor]
"""Of one batch: predictions and targets, as small as the metric allows, on the CPU."""

OF_THE_LOSS = frozenset({"loss", "perplexity"})
_BY_TASK = {
    Task.CLASSIFICATION: "accuracy",
    Task.BINARY: "accuracy",
    Task.LANGUAGE_MODEL: "accuracy",
    Task.MULTILABEL: "f1",
    Task.REGRESSION: "r2",
    Task.CUSTOM: "loss",
}
# A small set is memorised at these values. R²: residuals of 5 % of the variance (CATALOGUE, "small set").
_CEILINGS = {"accuracy": 1.0, "balanced_accuracy": 1.0, "f1": 1.0, "r2": 0.95}


def default_metric(task: Task) -> str:
    """Name the metric of a task."""
    return _BY_TASK[task]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as it is computed: `keep` per batch, `score` over all that was kept."""

    name: str
    higher_is_better: bool
    task: Task
    class_axis: int = 1  # of the output
    threshold: float = 0.0  # of binary and multilabel answers: 0 for logits, 0.5 for probabilities
    ignored: int | None = None  # the label that the loss ignores
    function: Callable[[Tensor, Tensor], Any] | None = None  # the user's own

    @property
    def of_the_loss(self) -> bool:
        """Whether it is computed from the loss alone."""
        return self.function is None and self.name in OF_THE_LOSS

    @property
    def ceiling(self) -> float | None:
        """What a memorised small set reaches; None where accuracy is no yardstick (language, custom, own metrics)."""
        if self.function is not None or self.task in {Task.LANGUAGE_MODEL, Task.CUSTOM}:
            return None
        return _CEILINGS.get(self.name)

    def keep(self, output: Tensor, target: Tensor) -> Kept:
        """Keep of a batch what the score needs: predicted classes rather than scores."""
        if self.function is not None or self.task is Task.REGRESSION or self.name in {"mae", "r2"}:
            return output.detach().float().cpu(), target.detach().cpu()
        predictions, truth = self.predicted(output, target)
        return predictions.cpu(), truth.cpu()

    def predicted(self, output: Tensor, target: Tensor) -> Kept:
        """Return predicted and true classes, flat (multilabel: one row of decisions per row)."""
        if self.task in {Task.BINARY, Task.MULTILABEL}:
            decisions = (output.detach() > self.threshold).long()
            truth = (target.detach() > 0.5).long()
            if self.task is Task.BINARY:
                return decisions.flatten(), truth.flatten()
            return decisions.flatten(1), truth.reshape(decisions.shape).flatten(1)
        axis = self.class_axis if output.ndim > 1 else 0
        predictions = output.detach().argmax(axis)
        soft = target.is_floating_point() and target.shape == output.shape
        truth = target.detach().argmax(axis) if soft else target.detach().long()
        predictions, truth = predictions.flatten(), truth.flatten()
        if self.ignored is not None and predictions.shape == truth.shape:
            predictions, truth = predictions[truth != self.ignored], truth[truth != self.ignored]
        return predictions, truth

    def score(self, kept: list[Kept], *, loss: float = math.nan) -> float:
        """Return the metric over all rows; NaN when it cannot be told."""
        if self.of_the_loss:
            return loss if self.name == "loss" else math.exp(min(loss, 700.0)) if not math.isnan(loss) else math.nan
        if not kept:
            return math.nan
        outputs, targets = torch.cat([pair[0] for pair in kept]), torch.cat([pair[1] for pair in kept])
        if self.function is not None:
            return float(self.function(outputs, targets))
        if outputs.numel() == 0:
            return math.nan
        if outputs.numel() != targets.numel():
            return math.nan
        return _SCORES[self.name](outputs, targets)


def confusion(predictions: Tensor, truth: Tensor, *, classes: int) -> Tensor:
    """Count (truth, prediction) pairs; labels outside 0..classes-1 are left out."""
    known = (truth >= 0) & (truth < classes) & (predictions >= 0) & (predictions < classes)
    flat = truth[known] * classes + predictions[known]
    return torch.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def r2(outputs: Tensor, targets: Tensor) -> float:
    """1 - residual / total sum of squares, over all columns together; NaN for targets that are all equal."""
    y = targets.reshape(len(targets), -1).double()
    residual = (outputs.reshape(y.shape).double() - y).square().sum()
    total = (y - y.mean(0)).square().sum()
    return float(1 - residual / total) if total > 0 else math.nan


def _accuracy(predictions: Tensor, truth: Tensor) -> float:
    return float((predictions == truth).double().mean())


def _balanced_accuracy(predictions: Tensor, truth: Tensor) -> float:
    recalls = [(predictions[truth == label] == label).double().mean() for label in torch.unique(truth)]
    return float(torch.stack(recalls).mean())


def _f1(predictions: Tensor, truth: Tensor) -> float:
    """Two classes: of class 1. More: the mean over classes. Multilabel: over all decisions together."""
    if predictions.ndim > 1 or int(max(predictions.max(), truth.max())) <= 1:
        return _f1_of(predictions == 1, truth == 1)
    labels = torch.unique(torch.cat([predictions, truth]))
    return sum(_f1_of(predictions == label, truth == label) for label in labels) / len(labels)


def _f1_of(predicted: Tensor, true: Tensor) -> float:
    both, either = (predicted & true).sum(), predicted.sum() + true.sum()
    return float(2 * both / either) if either else 0.0


def _mae(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs.reshape(targets.shape).double() - targets.double()).abs().mean())


_SCORES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "r2": r2,
    "mae": _mae,
}
assert set(_SCORES) | OF_THE_LOSS == set(METRIC_HIGHER_IS_BETTER)
