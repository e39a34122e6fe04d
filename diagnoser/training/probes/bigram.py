"""What does a table of token pairs reach on a language model's task?

Legend: (B, T) rows and positions, V tokens. The pair is (input token, target token) at one position.
"""

import math
from collections.abc import Callable

import numpy as np

from diagnoser.evidence.preflight import Baselines, Score
from diagnoser.training.probes import reference_tasks
from diagnoser.training.probes.rows import Array, Rows
from diagnoser.training.unsupported import Unsupported

HELD_OUT = 0.2  # of the training rows
PRIOR = 1.0  # pseudo-counts that a pair table borrows from the table of single tokens

Nats = Array  # (B,): mean loss of each row
Hits = Array  # (B,): share of right answers of each row


class Tables:
    """Counts of single target tokens, and of target tokens behind each input token."""

    def __init__(self, inputs: Array, target: Array, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        single = np.bincount(target.reshape(-1), minlength=vocabulary) + 1.0  # no token has probability 0
        self.single = single / single.sum()
        keys, counts = np.unique(_pairs(inputs, target, vocabulary), return_counts=True)
        self.keys, self.counts = keys, counts
        self.seen = np.bincount(inputs.reshape(-1), minlength=vocabulary)
        self.likeliest = np.full(vocabulary, int(self.single.argmax()))
        order = np.argsort(counts, kind="stable")
        self.likeliest[keys[order] // vocabulary] = (
            keys[order] % vocabulary
        )  # the last one written is the most frequent

    def alone(self, inputs: Array, target: Array) -> tuple[Nats, Hits]:
        """Predict from the frequencies of tokens."""
        return -np.log(self.single[target]).mean(axis=1), (target == self.single.argmax()).mean(axis=1)

    def by_pair(self, inputs: Array, target: Array) -> tuple[Nats, Hits]:
        """Predict from the token at the same position of the input."""
        pairs = _pairs(inputs, target, self.vocabulary)
        place = np.minimum(np.searchsorted(self.keys, pairs), len(self.keys) - 1)
        count = np.where(self.keys[place] == pairs, self.counts[place], 0).reshape(target.shape)
        share = (count + PRIOR * self.single[target]) / (self.seen[inputs] + PRIOR)
        return -np.log(share).mean(axis=1), (target == self.likeliest[inputs]).mean(axis=1)


def measure_tokens(
    train: Rows, validation: Rows, *, metric: str, seed: int, network_seconds: float, deadline: float
) -> Baselines:
    """Fill tables from four fifths of the training rows, and read them on the rest and on validation.

    Then a small transformer on the same rows, where it is given any time.
    """
    if metric not in {"loss", "perplexity", "accuracy"}:
        raise Unsupported(f"a table of token pairs has no {metric!r}")
    parts = [(rows.first, rows.target) for rows in (train, validation)]
    if any(y is None or x.shape != y.shape or x.ndim != 2 or x.dtype.kind not in "iu" for x, y in parts):
        raise Unsupported("inputs and targets are not tokens of one shape (rows, positions)")
    (x, y), (validation_x, validation_y) = ((x.astype(np.int64), _whole(y)) for x, y in parts)
    if min(x.min(), y.min(), validation_x.min(), validation_y.min()) < 0:
        raise Unsupported("some tokens are negative; ignored positions have no place in a table of pairs")
    vocabulary = int(max(x.max(), y.max(), validation_x.max(), validation_y.max())) + 1
    fit = len(x) - int(HELD_OUT * len(x))
    tables = Tables(x[:fit], y[:fit], vocabulary)
    figure = _figure(metric)
    scores: list[Score] = []
    for name, predict in (("majority", tables.alone), ("bigram", tables.by_pair)):
        on_train, on_validation = figure(predict(x[:fit], y[:fit])), figure(predict(validation_x, validation_y))
        scores.append(Score.model_validate({"name": name, "train": on_train, "validation": on_validation}))
    network = None
    if network_seconds > 0:
        network = reference_tasks.of_tokens(
            (x, y),
            (validation_x, validation_y),
            fit=fit,
            vocabulary=vocabulary,
            figure=lambda nats, hits: figure((nats, hits)),
            seed=seed,
            seconds=network_seconds,
            deadline=deadline,
        )
    return Baselines(
        metric=metric,
        reference=network,
        scores=tuple(scores),
        chance=scores[0].validation,
        standard_error=_error(metric, tables.by_pair(validation_x, validation_y), rows=validation.total),
        held_out_training=figure(tables.by_pair(x[fit:], y[fit:])) if fit < len(x) else None,
        best_permuted_validation=None,
        rows_used=len(x),
    )


def _figure(metric: str) -> Callable[[tuple[Nats, Hits]], float]:
    if metric == "accuracy":
        return lambda answer: float(answer[1].mean())
    if metric == "perplexity":
        return lambda answer: math.exp(answer[0].mean())
    return lambda answer: float(answer[0].mean())


def _error(metric: str, answer: tuple[Nats, Hits], *, rows: int) -> float:
    """Return the standard error over rows: positions of one row depend on each other."""
    each = answer[1] if metric == "accuracy" else answer[0]
    error = float(each.std() / np.sqrt(rows))
    return error * math.exp(answer[0].mean()) if metric == "perplexity" else error


def _pairs(inputs: Array, target: Array, vocabulary: int) -> Array:
    return inputs.reshape(-1) * vocabulary + target.reshape(-1)


def _whole(target: Array | None) -> Array:
    assert target is not None
    return target.astype(np.int64)
