"""How noisy is the gradient of one batch? The variance over batches beside the mean gradient (the norm test).

Byrd et al. 2012 ask of a batch that the variance of its gradient be no larger than the squared gradient; McCandlish et
al. 2018 call that ratio, times the rows, the noise scale. Measured on models of our own, in float32, at the very start
and after a few updates: an initialisation may lie where the mean gradient happens to be small, and so may what a quick
learner reaches in 20 updates. Later still the gradient itself vanishes, and every batch is noisy.

Covers: fresh batches in the mode in which the factory leaves the model, with dropout and augmentation, BatchNorm on the
batch's own statistics.
Does not cover: noise that grows while the model learns; a last batch with fewer rows is left out.
"""

import itertools
import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.evidence.batch_size import GradientNoise, Noise
from diagnoser.training.failures import is_out_of_memory
from diagnoser.training.probes.bench import step, trainable
from diagnoser.training.randomness import derived, forked
from diagnoser.training.workload import Workload

BATCHES = 16  # CATALOGUE, batch-size-too-small
FEWEST = 8  # below, the mean gradient is mostly noise itself
INITIALISATIONS = 3  # CATALOGUE, second law
UPDATES = 20  # of the user's optimizer between the looks
MOST_SECONDS = 8.0  # a hint is worth no more; ten times what small models take, so that load changes nothing
Look = tuple[float, float]  # variance, square of the mean


def measure(workload: Workload, *, seed: int, seconds: float) -> GradientNoise | None:
    """Compare the gradients of a few batches at a few initialisations; None where there are too few, or no gradient.

    Memory errors pass: they are the probe's outcome.
    """
    end = time.monotonic() + min(seconds, MOST_SECONDS)
    batches = BATCHES
    found: list[list[Look]] = []
    for number in range(INITIALISATIONS):
        if found and time.monotonic() > end:
            break
        try:
            taken, looks = _at_one(workload, seed=seed + number, batches=batches, end=end)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return None  # the loss has no gradient, or labels do not fit: the probes of model and loss say so
        if len(looks) < 2:
            break
        batches = taken  # as many at each
        found.append(looks)
    if not found or not all(math.isfinite(value) for looks in found for look in looks for value in look):
        return None
    return GradientNoise(
        batch_size=workload.train.batch_size,
        batches=batches,
        looks=tuple(
            Noise(updates=updates, variance=tuple(one[0] for one in looks), mean_square=tuple(one[1] for one in looks))
            for updates, looks in zip((0, UPDATES), zip(*found, strict=True), strict=True)
        ),
    )


def _at_one(workload: Workload, *, seed: int, batches: int, end: float) -> tuple[int, list[Look]]:
    """Look at one initialisation, train it a little, and look again; no look where there are too few batches."""
    model = workload.build_model(seed=seed)
    started = time.monotonic()
    taken, first = _look(workload, model, seed=seed, batches=batches, end=end)
    now = time.monotonic()
    still_to_do = (UPDATES + taken) * (now - started) / max(1, taken)
    if first is None or now + still_to_do > end:
        return taken, []
    _train(workload, model, seed=seed)
    _, second = _look(workload, model, seed=derived(seed, "later"), batches=taken, end=None)
    return taken, [first] if second is None else [first, second]


def _look(
    workload: Workload, model: nn.Module, *, seed: int, batches: int, end: float | None
) -> tuple[int, Look | None]:
    """Return the number of batches, their variance, and the square of their mean."""
    weights = list(trainable(model).values())
    total: list[Tensor] = []
    squares, taken = 0.0, 0
    for batch in itertools.islice(_full_batches(workload, seed=seed), batches):
        with forked(derived(seed, "noise", taken)):
            gradient = _gradient(workload.loss(model, workload.to_device(batch)), weights)
        squares += _square(gradient)
        total = [a.add_(b) for a, b in zip(total, gradient, strict=True)] if total else gradient
        taken += 1
        if end is not None and taken >= FEWEST and time.monotonic() > end:
            break
    if taken < FEWEST:
        return taken, None
    mean_square = _square(total) / taken**2
    return taken, (max(0.0, squares / taken - mean_square) * taken / (taken - 1), mean_square)


def _train(workload: Workload, model: nn.Module, *, seed: int) -> None:
    """Make a few updates as the spec says, without its schedule."""
    optimizer = workload.build_optimizer(model)
    for number, batch in enumerate(itertools.islice(_full_batches(workload, seed=seed), UPDATES)):

        def closure(batch: Any = batch, number: int = number) -> Tensor:
            optimizer.zero_grad()
            with forked(derived(seed, "training", number)):
                loss = workload.loss(model, workload.to_device(batch))
            loss.backward()
            return loss

        step(optimizer, closure)


def _full_batches(workload: Workload, *, seed: int) -> Iterator[Any]:
    """Yield batches of the spec's size, of one epoch after another: each row once in each."""
    train = workload.train
    size = min(train.batch_size, train.rows)
    for epoch in range(max(BATCHES, UPDATES)):  # a data set of one batch gives one an epoch
        for rows in train.order(seed=seed, epoch=epoch):
            if len(rows) == size:
                yield train.take(rows)


def _gradient(loss: Tensor, weights: list[nn.Parameter]) -> list[Tensor]:
    parts = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    return [part.detach().to_dense().float() for part in parts]


def _square(gradient: list[Tensor]) -> float:
    return math.fsum(float(part.double().square().sum()) for part in gradient)
