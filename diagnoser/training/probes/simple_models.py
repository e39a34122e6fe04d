"""What can a simple model learn from a table of rows? Majority or mean, a linear model, k nearest neighbours.

Legend: n rows, F features, k neighbours, O outputs of several labels or targets a row.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from diagnoser.training.probes.rows import Array

NEIGHBOURS = 5
ITERATIONS = 60  # of the linear model; more of them gain less than a point on digits
WORK = 1e7  # rows x features x classes that a logistic regression fits in about a second

Name = Literal["linear", "knn"]
Predict = Callable[[Array], Array]
Fit = Callable[[Array], Predict]
"""From the targets of the rows to a model: the rows themselves are known before."""


def simple_models(kind: str, metric: str, x: Array) -> Mapping[Name, Fit]:
    """Ways to fit targets of the rows `x` (n, F); what depends on the rows alone is done once for all targets."""
    nearest = _nearest(x)
    return {
        "linear": lambda y: linear(kind, metric, x, y),
        "knn": lambda y: neighbours(kind, nearest, y),
    }


def constant(kind: str, metric: str, y: Array) -> Predict:
    """The best answer that looks at no row."""
    if kind in {"class", "binary"}:
        values, counts = np.unique(y, return_counts=True)
        answer: Any = values[counts.argmax()]
    elif kind == "multilabel":
        answer = (y.mean(axis=0) > 0.5).astype(np.int64)
    else:
        answer = np.median(y, axis=0) if metric == "mae" else y.mean(axis=0)
    return lambda x: np.broadcast_to(answer, (len(x), *np.shape(answer)))


def linear(kind: str, metric: str, x: Array, y: Array) -> Predict:
    """A linear model, regularised; for many rows, features and classes by least squares."""
    from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

    weight = None if metric == "accuracy" else "balanced"
    if kind in {"class", "binary"} and len(np.unique(y)) < 2:
        return constant(kind, metric, y)
    if kind == "real":
        model: Any = Ridge(alpha=1.0)
    elif kind == "multilabel" or x.size * max(2, len(np.unique(y))) > WORK:
        model = RidgeClassifier(alpha=float(x.shape[1]), class_weight=weight)
    else:
        model = LogisticRegression(max_iter=ITERATIONS, class_weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: the fit is cut short on purpose
        model.fit(x, y)

    def predict(some: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(model.predict(some)).reshape(len(some), *y.shape[1:])

    return predict


def neighbours(kind: str, nearest: Callable[[Array], Array], y: Array) -> Predict:
    """What the nearest rows have: their mean, or the label that most of them bear (of equals the smallest)."""
    targets = y.reshape(len(y), -1)  # (n, O)

    def predict(some: Array) -> Array:
        near = targets[nearest(some)]  # (rows, k, O)
        answer = near.mean(axis=1) if kind == "real" else _most_frequent(near)
        return answer.reshape(len(some), *y.shape[1:])

    return predict


def _most_frequent(labels: Array) -> Array:
    """Of the labels (rows, k, O) the most frequent, (rows, O); the smallest where several are."""
    ascending = np.sort(labels, axis=1)
    counts = [(ascending == ascending[:, [place]]).sum(axis=1) for place in range(labels.shape[1])]  # k of (rows, O)
    first = np.stack(counts).argmax(axis=0)
    return np.asarray(np.take_along_axis(ascending, first[:, None], axis=1)[:, 0])


def _nearest(x: Array) -> Callable[[Array], Array]:
    """Look up which rows of `x` are nearest, (rows, k); the same rows are looked up once, whatever their targets."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(x)), algorithm="brute").fit(x)
    known: list[tuple[Array, Array]] = []

    def look_up(some: Array) -> Array:
        for asked, answer in known:
            if asked is some:
                return answer
        found: Array = index.kneighbors(some, return_distance=False)
        known.append((some, found))
        return found

    return look_up
