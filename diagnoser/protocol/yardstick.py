"""By what are the two sides of a fix compared, where the metric as it stands would not measure the same on both?

Accuracy is what a model gains by giving up rare classes, so a cure of that is judged by the mean recall (CATALOGUE,
label-imbalance). And where a fix turns the sign of the loss, the untreated side's loss is read with that sign too.
"""

import math
from collections.abc import Callable
from statistics import fmean

from diagnoser.findings import Fix
from diagnoser.trials import Evaluation, Outcome, Transform, TrialResult

Results = tuple[TrialResult, ...]
Sides = tuple[Results, Results]
BALANCED = "balanced_accuracy"
FOCAL = "focal_loss"


def alike(fix: Fix, sides: Sides, *, metric: str) -> Sides:
    """Return both sides, measured alike."""
    before, after = sides
    if Transform.NEGATE_LOSS in fix.transforms:
        return tuple(_negated(result, metric) for result in before), after
    if metric_of(fix, sides, metric=metric) != metric:
        return tuple(map(_balanced, before)), tuple(map(_balanced, after))
    return sides


def metric_of(fix: Fix, sides: Sides, *, metric: str) -> str:
    """Name what the sides of this fix are compared by."""
    if metric != "accuracy" or not _balances(fix):
        return metric
    ended = [result for side in sides for result in side if result.outcome is Outcome.COMPLETED]
    return BALANCED if ended and all(any(map(math.isfinite, result.recalls)) for result in ended) else metric


def standard_error_of(fix: Fix, sides: Sides, *, metric: str, known: float | None) -> float | None:
    """Return that of the metric which the sides are compared by, where their confusions tell it."""
    if metric_of(fix, sides, metric=metric) == metric:
        return known
    errors = [error for result in sides[0] if (error := _error_of_mean_recall(result)) is not None]
    return fmean(errors) if errors else known


def _balances(fix: Fix) -> bool:
    loss = fix.patch.get("loss")
    name = loss.get("name") if isinstance(loss, dict) else loss
    return Transform.WEIGHT_CLASSES in fix.transforms or name == FOCAL


def _balanced(result: TrialResult) -> TrialResult:
    """Put the mean recall in the place of the last validation metric."""
    recalls = [recall for recall in result.recalls if math.isfinite(recall)]
    if not recalls:
        return result
    return _with_end(result, lambda end: end.model_copy(update={"validation_metric": fmean(recalls)}))


def _error_of_mean_recall(result: TrialResult) -> float | None:
    """Binomial in each class (Laplace: a recall of 1 has an error too), independent between classes."""
    right = [(row[label], sum(row)) for label, row in enumerate(result.confusion)]
    shares = [((hits + 1) / (rows + 2), rows) for hits, rows in right if rows]
    if not shares:
        return None
    return math.sqrt(sum(share * (1 - share) / rows for share, rows in shares)) / len(shares)


def _negated(result: TrialResult, metric: str) -> TrialResult:
    def end(given: Evaluation) -> Evaluation:
        loss, value = given.validation_loss, given.validation_metric
        changed = {"validation_loss": None if loss is None else -loss}
        if value is not None and metric == "loss":
            changed["validation_metric"] = -value
        elif value is not None and metric == "perplexity":
            changed["validation_metric"] = 1 / value if value else math.inf
        return given.model_copy(update=changed)

    turned = result.model_copy(update={"losses": tuple(-loss for loss in result.losses)})
    return _with_end(turned, end)


def _with_end(result: TrialResult, change: Callable[[Evaluation], Evaluation]) -> TrialResult:
    if not result.evaluations:
        return result
    return result.model_copy(update={"evaluations": (*result.evaluations[:-1], change(result.evaluations[-1]))})
