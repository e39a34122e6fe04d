"""What do simple models reach on the same rows?

Majority class or mean, a linear model, k-NN; for a language model the tables of single tokens and of pairs. Each is
trained on four fifths of the training rows, so that one fit gives three figures: on the rows it saw, on rows of
*training* that it did not see, and on validation. Two different answers to the last two questions tell of a split
that went wrong, and not of a hard task.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diagnoser.evidence.preflight import Baselines, Score
from diagnoser.training.probes import reference, reference_networks, reference_tasks
from diagnoser.training.probes.bigram import measure_tokens
from diagnoser.training.probes.rows import Array, Rows, read
from diagnoser.training.probes.simple_models import Fit, constant, simple_models
from diagnoser.training.probes.targets import class_labels, kind_of
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

ROWS = 5_000  # of each split: the standard error of an accuracy is then below 0.7 points
HELD_OUT = 0.2  # of the training rows
SMALLEST = 20  # training rows, below which a held-out fifth says nothing
MOST_CLASSES = 200  # for the assignment of labels; its confusion matrix needs some rows in each cell
PERMUTATIONS = 3  # where rows form few clusters, one permutation alone may guess them right
RESAMPLES = 100  # of the bootstrap
LARGEST_VOCABULARY = 5_000  # for bags of words

METRICS = {
    "class": ("accuracy", "balanced_accuracy", "f1"),
    "binary": ("accuracy", "balanced_accuracy", "f1"),
    "multilabel": ("f1", "accuracy"),
    "real": ("r2", "mae"),
}


@dataclass(frozen=True)
class Table:
    """Rows as simple models take them."""

    fit_x: Array  # (n, F), standardised
    fit_y: Array
    held_x: Array
    held_y: Array
    validation_x: Array
    validation_y: Array
    fit_rows: Array  # which of the training rows are which
    held_rows: Array


def measure(workload: Workload, probe: Probe) -> Baselines:
    """Train the simple models that suit the task."""
    train = read(workload, workload.train, seed=probe.seed, limit=ROWS)
    validation = read(workload, workload.validation, seed=probe.seed, limit=ROWS)
    kind = kind_of(workload.task, train.target)
    metric = workload.metric_name
    seconds = reference.SECONDS[workload.spec.protocol.preset]
    deadline = time.perf_counter() + (probe.max_seconds or 20.0)
    if kind == "tokens":
        return measure_tokens(
            train, validation, metric=metric, seed=probe.seed, network_seconds=seconds, deadline=deadline
        )
    if train.target is None or validation.target is None:
        raise Unsupported("the batches hold no target that a simple model could learn")
    if any(np.array_equal(train.target, given) for given in train.inputs):
        raise Unsupported("the target is the input itself: a simple model would copy it, which is not what is asked")
    if metric not in METRICS.get(kind, ()):
        raise Unsupported(f"simple models have no {metric!r} to compare with on this task")
    if train.read < SMALLEST:
        raise Unsupported(f"{train.read} training rows are too few to hold some of them out")
    table = _table(train, validation, kind, seed=probe.seed)
    score = scorer(kind, metric)
    found = _baselines(
        table, kind, metric, score, rows=train.read, validation=validation, seed=probe.seed, deadline=deadline
    )
    if seconds <= 0 or time.perf_counter() > deadline:
        return found
    network = reference_networks.kind_of(train.first, inputs=len(train.inputs), vocabulary=_words(train, validation))
    if network == "perceptron":
        splits = (table.fit_x, table.held_x, table.validation_x)
    else:
        splits = (train.first[table.fit_rows], train.first[table.held_rows], validation.first)
    best = reference_tasks.of_rows(
        (splits[0], table.fit_y),
        (splits[1], table.held_y),
        (splits[2], table.validation_y),
        kind=kind,
        network=network,
        vocabulary=_words(train, validation),
        metric=metric,
        score=score,
        seed=probe.seed,
        seconds=seconds,
        deadline=deadline,
    )
    return found.model_copy(update={"reference": best})


def _baselines(
    table: Table,
    kind: str,
    metric: str,
    score: Callable[[Array, Array], float],
    *,
    rows: int,
    validation: Rows,
    seed: int,
    deadline: float,
) -> Baselines:
    majority = constant(kind, metric, table.fit_y)
    chance = score(table.validation_y, majority(table.validation_x))
    scores = [Score(name="majority", train=score(table.fit_y, majority(table.fit_x)), validation=chance)]
    better = -1.0 if metric == "mae" else 1.0  # the error's sign turned, so that more is better
    best: tuple[float, Fit, Array] | None = None
    for name, fit in simple_models(kind, metric, table.fit_x).items():
        if time.perf_counter() > deadline:
            break
        predict = fit(table.fit_y)
        held, predicted = score(table.held_y, predict(table.held_x)), predict(table.validation_x)
        train, validation_score = score(table.fit_y, predict(table.fit_x)), score(table.validation_y, predicted)
        scores.append(Score(name=name, train=train, validation=validation_score))
        if best is None or better * held > better * best[0]:
            best = (held, fit, predicted)
    if best is None:
        raise Unsupported("no time was left for a simple model")
    held, fit, predicted = best
    relabelled, permutation = _relabelled(kind, score, table.validation_y, predicted)
    permuted = None
    if time.perf_counter() < deadline:
        rng = np.random.default_rng(seed)
        models = (fit(rng.permutation(table.fit_y)) for _ in range(PERMUTATIONS))
        permuted = float(np.mean([score(table.validation_y, model(table.validation_x)) for model in models]))
    scale = np.sqrt(len(table.validation_y) / validation.total)  # when only some of the validation rows were read
    return Baselines(
        metric=metric,
        scores=tuple(scores),
        chance=chance,
        standard_error=float(standard_error(metric, score, table.validation_y, predicted, seed=seed) * scale),
        held_out_training=held,
        best_permuted_validation=relabelled,
        permutation=permutation,
        permuted_labels_score=permuted,
        rows_used=rows,
    )


# ---- rows as a table


def _table(train: Rows, validation: Rows, kind: str, *, seed: int) -> Table:
    x, validation_x = _features(train, validation)
    y, validation_y = (_labels(kind, rows) for rows in (train, validation))
    if len(y) != len(x) or len(validation_y) != len(validation_x):
        raise Unsupported("there is more than one target a row, and simple models take one")
    order = np.random.default_rng(seed).permutation(len(x))
    held, fit = order[: int(HELD_OUT * len(x))], order[int(HELD_OUT * len(x)) :]
    return Table(x[fit], y[fit], x[held], y[held], validation_x, validation_y, fit, held)


def _features(train: Rows, validation: Rows) -> tuple[Array, Array]:
    """Flatten and standardise by the training rows; token ids become counts of words."""
    words = _words(train, validation)
    if words is not None:
        return _bags(train.first, words), _bags(validation.first, words)
    flat = [_flat(rows) for rows in (train, validation)]
    if flat[0].shape[1] != flat[1].shape[1]:
        raise Unsupported("inputs of training and validation differ in shape")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of nothing but NaN has no mean
        mean = np.nan_to_num(np.nanmean(flat[0], axis=0, keepdims=True))
    filled = [np.where(np.isfinite(x), x, mean) for x in flat]
    std = filled[0].std(axis=0, keepdims=True)
    standardised = [(x - mean) / np.where(std > 0, std, 1.0) for x in filled]
    return standardised[0].astype(np.float32), standardised[1].astype(np.float32)


def _words(train: Rows, validation: Rows) -> int | None:
    """Size of the vocabulary; None where the rows are not token ids."""
    if train.first.dtype.kind != "i" or train.first.ndim != 2 or train.first.min() < 0 or validation.first.min() < 0:
        return None
    words = int(max(train.first.max(), validation.first.max())) + 1
    return words if words <= LARGEST_VOCABULARY else None


def _flat(rows: Rows) -> Array:
    parts = [array.reshape(rows.read, -1).astype(np.float32) for array in rows.inputs]
    x = np.concatenate(parts, axis=1)
    return np.where(np.isfinite(x), x, np.nan)


def _bags(ids: Array, words: int) -> Array:
    counts = np.zeros((len(ids), words), dtype=np.float32)
    np.add.at(counts, (np.arange(len(ids))[:, None], ids), 1.0)
    return np.log1p(counts)


def _labels(kind: str, rows: Rows) -> Array:
    assert rows.target is not None
    if kind in {"class", "binary"}:
        labels = class_labels(kind, rows.target)
        if labels is None:
            raise Unsupported("the targets are not whole-number labels")
        return labels
    flat = rows.target.reshape(rows.read, -1)
    if kind == "multilabel":
        return (flat > 0.5).astype(np.int64)
    if not np.isfinite(flat).all():
        raise Unsupported("the targets hold NaN or infinity")
    return flat.astype(np.float64)


# ---- figures


def scorer(kind: str, metric: str) -> Callable[[Array, Array], float]:
    """Return `score(truth, predicted)` for a metric by name, defined as in `training/metrics.py`."""
    from sklearn import metrics

    average = "micro" if kind == "multilabel" else "macro"
    functions: dict[str, Callable[[Array, Array], float]] = {
        "accuracy": lambda truth, predicted: float(np.mean(truth == predicted)),
        "balanced_accuracy": _mean_recall,
        "f1": lambda truth, predicted: metrics.f1_score(
            truth,
            predicted,
            average=average if truth.ndim > 1 or max(truth.max(), predicted.max()) > 1 else "binary",
            zero_division=0.0,
        ),
        "r2": _r2,
        "mae": lambda truth, predicted: float(np.abs(truth - predicted).mean()),
    }
    return functions[metric]


def _mean_recall(truth: Array, predicted: Array) -> float:
    return float(np.mean([np.mean(predicted[truth == label] == label) for label in np.unique(truth)]))


def _r2(truth: Array, predicted: Array) -> float:
    total = ((truth - truth.mean(axis=0)) ** 2).sum()
    return float(1 - ((truth - predicted) ** 2).sum() / total) if total > 0 else float("nan")


def standard_error(
    metric: str, score: Callable[[Array, Array], float], truth: Array, predicted: Array, *, seed: int
) -> float:
    """Return the standard error of a validation metric: binomial for accuracy, else by bootstrap."""
    n = len(truth)
    if metric == "accuracy" and truth.ndim == 1:
        share = (float(np.sum(truth == predicted)) + 1) / (n + 2)  # Laplace: an accuracy of 1 has an error too
        return float(np.sqrt(share * (1 - share) / n))
    rng = np.random.default_rng(seed)
    draws = (rng.integers(n, size=n) for _ in range(RESAMPLES))
    return float(np.nanstd([score(truth[rows], predicted[rows]) for rows in draws]))


def _relabelled(
    kind: str, score: Callable[[Array, Array], float], truth: Array, predicted: Array
) -> tuple[float | None, tuple[int, ...]]:
    """Find the one-to-one relabelling of validation that agrees best with the model, and its score."""
    from scipy.optimize import linear_sum_assignment

    if kind not in {"class", "binary"} or min(truth.min(), predicted.min()) < 0:
        return None, ()
    classes = int(max(truth.max(), predicted.max())) + 1
    if classes > MOST_CLASSES:
        return None, ()
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (truth, predicted), 1)
    np.fill_diagonal(confusion, confusion.diagonal() + 0.5)  # a tie keeps the label as it is
    _, assigned = linear_sum_assignment(confusion, maximize=True)
    return score(assigned[truth], predicted), tuple(int(label) for label in assigned)
