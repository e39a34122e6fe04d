"""Which column of a log is what? The names that common frameworks give, compared without case and punctuation."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from diagnoser.errors import UsageError

TRAIN = ("train", "training", "tr")
VALIDATION = ("validation", "val", "valid", "eval", "dev", "test")

METRICS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy", "acc", "top1", "acc1", "categorical_accuracy", "sparse_categorical_accuracy"),
    "balanced_accuracy": ("balanced_accuracy",),
    "f1": ("f1", "f1_score", "macro_f1"),
    "r2": ("r2", "r2_score"),
    "auc": ("auc", "auroc", "roc_auc"),
    "mae": ("mae", "mean_absolute_error"),
    "mse": ("mse", "mean_squared_error"),
    "rmse": ("rmse",),
    "perplexity": ("perplexity", "ppl"),
    "error": ("error", "err", "error_rate"),
    "metric": ("metric",),
}
DIRECTIONS: dict[str, bool] = {"mae": False, "mse": False, "rmse": False, "perplexity": False, "error": False}
"""Whether higher is better, where it is not."""


def _around(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    """`train_loss`, `loss_train`, `train_loss_epoch`, ..."""
    return tuple(form for word in words for form in (f"{word}_{name}", f"{name}_{word}", f"{word}_{name}_epoch"))


NAMES: dict[str, tuple[str, ...]] = {
    "epoch": ("epoch", "epochs"),
    "step": ("step", "global_step", "trainer_global_step", "iteration", "iter", "update", "updates", "batch"),
    "batch_loss": (
        "batch_loss", "loss_step", "step_loss", "loss_batch", *(f"{word}_loss_step" for word in TRAIN),
        *(f"{word}_step_loss" for word in TRAIN),
    ),
    "train_loss": (*_around(TRAIN, "loss"), "loss", "loss_epoch", "epoch_loss"),
    "validation_loss": _around(VALIDATION, "loss"),
    "lr": ("lr", "learning_rate", "train_lr", "train_learning_rate"),
}  # fmt: skip
METRIC_MEANINGS = ("train_metric", "validation_metric")


def columns(path: Path, there: tuple[str, ...], asked: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The column of each meaning, and the name of the metric. Raises UsageError with what is there instead."""
    _check(path, there, asked)
    by_plain = {_plain(name): name for name in reversed(there)}

    def first(names: tuple[str, ...]) -> str | None:
        return next((by_plain[name] for name in names if name in by_plain), None)

    guessed = {meaning: first(names) for meaning, names in NAMES.items()}
    metric, of_metric = "metric", dict[str, str | None]()
    for name, spellings in METRICS.items():
        train = tuple(form for each in spellings for form in (*_around(TRAIN, each), each))
        validation = tuple(form for each in spellings for form in _around(VALIDATION, each))
        pair = {"train_metric": first(train), "validation_metric": first(validation)}
        if pair["validation_metric"] or (pair["train_metric"] and not of_metric):
            metric, of_metric = name, pair
        if pair["validation_metric"]:
            break
    found = {meaning: name for meaning, name in {**guessed, **of_metric, **asked}.items() if name is not None}
    if not {"train_loss", "batch_loss", "validation_loss"} & set(found):
        raise UsageError(
            f"{path}: no column holds a loss; there are: {', '.join(there)}. Name one with --column train_loss=NAME"
        )
    return found, _asked_metric(asked) or metric


def _check(path: Path, there: tuple[str, ...], asked: Mapping[str, str]) -> None:
    meanings = (*NAMES, *METRIC_MEANINGS)
    for meaning, name in asked.items():
        if meaning not in meanings:
            raise UsageError(f"--column {meaning}={name}: {meaning} is none of {', '.join(meanings)}")
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(there)}"
            raise UsageError(f"{path}: has no column {name}{hint}")


def _asked_metric(asked: Mapping[str, str]) -> str | None:
    """The metric that a column named by the user holds, as far as its name tells."""
    name = asked.get("validation_metric", asked.get("train_metric"))
    if name is None:
        return None
    words = _plain(name)
    known = (metric for metric, spellings in METRICS.items() if any(words.endswith(each) for each in spellings))
    return next(known, "metric")


def _plain(name: str) -> str:
    """`Train/Loss`, `train-loss`, `_train.loss` -> `train_loss`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
