"""What is the reference network given, and how is it scored? The rows of the simple models, in their own shape.

Legend: n rows, (n, T) token ids, V tokens, O outputs, F features.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diagnoser.evidence.preflight import Reference
from diagnoser.training.probes import reference
from diagnoser.training.probes import reference_networks as networks
from diagnoser.training.probes.reference import Loss, Task
from diagnoser.training.probes.rows import Array

MOST_CLASSES = 1_000
LONGEST_TEXT = 32  # positions; the first ones of longer rows
MOST_TOKENS = 5_000  # V, whose outputs would take most of the time
MOST_ROWS_OF_TEXT = 1_000  # in an evaluation

Score = Callable[[Array, Array], float]
Split = tuple[Array, Array]  # inputs and targets


def of_rows(
    fit: Split,
    held: Split,
    validation: Split,
    *,
    kind: str,
    network: networks.Kind,
    vocabulary: int | None,
    metric: str,
    score: Score,
    seed: int,
    seconds: float,
    deadline: float,
) -> Reference | None:
    """Classes, labels or numbers: one answer a row. None: it was not trained, for want of time."""
    labels = kind in {"class", "binary"}
    outputs = int(fit[1].max()) + 1 if labels else fit[1].shape[1]
    if labels and (not 2 <= outputs <= MOST_CLASSES or min(int(y.min()) for _, y in (fit, held)) < 0):
        return None
    mean, std = (fit[1].mean(axis=0), fit[1].std(axis=0)) if kind == "real" else (0.0, 1.0)
    std = np.where(np.asarray(std) > 0, std, 1.0)
    inputs = _inputs(network, (fit[0], held[0], validation[0]))
    splits = dict(zip(("fit", "held", "validation"), (fit, held, validation), strict=True))

    def targets(y: Array) -> Tensor:
        if labels:
            return torch.from_numpy(np.clip(y, 0, outputs - 1))  # an unknown label on validation: the score knows it
        return torch.from_numpy(((y - mean) / std).astype(np.float32))

    def told(name: str, answers: Tensor) -> float:
        if labels:
            predicted = answers.argmax(1).numpy()
        elif kind == "multilabel":
            predicted = (answers > 0).long().numpy()
        else:
            predicted = answers.double().numpy() * std + mean
        return score(splits[name][1], predicted)

    balanced = torch.from_numpy(_weights(fit[1], outputs)) if labels and metric != "accuracy" else None
    given = tuple((x, targets(y)) for x, (_, y) in zip(inputs, splits.values(), strict=True))
    task = Task(
        kind=network,
        fit=given[0],
        held=given[1],
        validation=given[2],
        outputs=outputs,
        vocabulary=vocabulary or 0,
        loss=_loss(kind, balanced),
    )
    return reference.measure(task, told, seed=seed, seconds=seconds, deadline=deadline)


def of_tokens(
    train: Split,
    validation: Split,
    *,
    fit: int,
    vocabulary: int,
    figure: Callable[[Array, Array], float],
    seed: int,
    seconds: float,
    deadline: float,
) -> Reference | None:
    """A token for each position. `figure`: from nats and hits, each (n,) a row, to the metric."""
    if vocabulary > MOST_TOKENS or fit >= len(train[0]):
        return None

    def cut(part: Split, rows: slice) -> tuple[Tensor, Tensor]:
        x, y = (torch.from_numpy(np.ascontiguousarray(one[rows, :LONGEST_TEXT])) for one in part)
        return x, y

    splits = {
        "fit": cut(train, slice(fit)),
        "held": cut(train, slice(fit, fit + MOST_ROWS_OF_TEXT)),
        "validation": cut(validation, slice(MOST_ROWS_OF_TEXT)),
    }

    def told(name: str, answers: Tensor) -> float:
        y = splits[name][1][: len(answers)]
        nats = functional.cross_entropy(answers.transpose(1, 2), y, reduction="none").mean(1)
        return figure(nats.numpy(), (answers.argmax(2) == y).float().mean(1).numpy())

    task = Task(
        kind="transformer",
        fit=splits["fit"],
        held=splits["held"],
        validation=splits["validation"],
        outputs=vocabulary,
        vocabulary=vocabulary,
        loss=lambda answers, y: functional.cross_entropy(answers.flatten(0, 1), y.flatten()),
    )
    return reference.measure(task, told, seed=seed, seconds=seconds, deadline=deadline)


def _inputs(network: networks.Kind, parts: tuple[Array, Array, Array]) -> tuple[Tensor, ...]:
    if network == "bag_of_embeddings":
        return tuple(torch.from_numpy(part[:, : networks.LONGEST].astype(np.int64)) for part in parts)
    if network == "convolution":
        shown = tuple(networks.pictures(part.astype(np.float32)) for part in parts)
        return tuple(torch.from_numpy(one) for one in _scaled(tuple(one.numpy() for one in shown), axes=(0, 2, 3)))
    if network == "recurrent":
        return tuple(torch.from_numpy(one) for one in _scaled(parts, axes=(0, 1)))
    return tuple(torch.from_numpy(part) for part in parts)  # the table is standardised already


def _scaled(parts: tuple[Array, ...], *, axes: tuple[int, ...]) -> tuple[Array, ...]:
    """Standardise by the first part over these axes; what is not finite becomes the mean."""
    finite = [np.where(np.isfinite(part), part, 0.0).astype(np.float32) for part in parts]
    mean, std = finite[0].mean(axis=axes, keepdims=True), finite[0].std(axis=axes, keepdims=True)
    return tuple((part - mean) / np.where(std > 0, std, 1.0) for part in finite)


def _weights(labels: Array, classes: int) -> Array:
    """Rows / (classes x rows of the class): a metric that counts classes alike asks for it."""
    counts = np.bincount(labels, minlength=classes)
    present = max(1, int((counts > 0).sum()))
    return np.where(counts > 0, len(labels) / (present * np.maximum(counts, 1)), 0.0).astype(np.float32)


def _loss(kind: str, weights: Tensor | None) -> Loss:
    if kind in {"class", "binary"}:
        return lambda outputs, labels: functional.cross_entropy(outputs, labels, weight=weights)
    if kind == "multilabel":
        return functional.binary_cross_entropy_with_logits
    return functional.mse_loss
