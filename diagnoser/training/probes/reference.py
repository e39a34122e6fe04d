"""Can the rows be learned at all? One small network that is known to work, trained beside the simple models.

It sees the rows that they see (four fifths of the training rows read), standardised; Kaiming weights, AdamW with
warm-up and cosine, gradients clipped; the weights that did best on the held-out fifth are kept. It is a lower bound of
what can be reached, and not the best that could be: it stops after about a second of one core.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import Reference
from diagnoser.training.probes import reference_networks as networks
from diagnoser.training.randomness import forked

SECONDS = {"quick": 0.0, "standard": 1.0, "thorough": 3.0}
"""Of one core: a diagnosis of the smallest programs takes some 20 (5 %)."""
UPDATE, PER_SECOND = 1e-3, 1e10
"""Seconds of an update for what is no arithmetic, and multiplications a second: the length follows from the shape of
the rows alone, never from a clock, so that the same diagnosis twice has the same figures."""
BACK_AND_FORTH = 3  # times the multiplications of a forward pass
WAITING = 5.0  # times the seconds, by the clock on the wall, where others use the machine: then it ends early
BATCH, POSITIONS = 64, 1024  # rows of a batch; and positions of a text, which are as many answers
LR, LR_OF_TEXTS, WEIGHT_DECAY, CLIP = 3e-3, 1e-2, 1e-2, 1.0
WARM_UP = 0.1  # of the updates
FEWEST = 40  # updates, below which it is no network that is known to work
MOST_EPOCHS, MOST_UPDATES = 60, 800
LOOKS, PATIENCE = 10, 4
LOOKING = 0.3  # of the time, for the looks and the figures at the end
MOST_HELD = 512  # rows of a look
CHUNK = 512  # rows evaluated at once

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """What the network is given and what it is to answer."""

    kind: networks.Kind
    fit: tuple[Tensor, Tensor]
    held: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    outputs: int
    vocabulary: int
    loss: Loss


@dataclass(frozen=True)
class Trained:
    """The network as it was when it did best on the held-out rows."""

    network: nn.Module
    updates: int
    stopped_by: str


def measure(
    task: Task, score: Callable[[str, Tensor], float], *, seed: int, seconds: float, deadline: float
) -> Reference | None:
    """Train it within so many seconds; None where they are too few. `score`: of the outputs on a split, by its name."""
    ends = min(deadline, time.perf_counter() + WAITING * seconds)
    planned = length(task, seconds=seconds)
    if planned < FEWEST:
        return None
    with forked(seed):
        network = networks.build(task.kind, task.fit[0], outputs=task.outputs, vocabulary=task.vocabulary)
        trained = _trained(network, task, seed=seed, planned=planned, ends=ends)
    if trained is None:
        return None
    splits = {"fit": task.fit, "held": task.held, "validation": task.validation}
    outputs = {name: _outputs(trained.network, x) for name, (x, _) in splits.items()}
    losses = {name: float(task.loss(outputs[name], y)) for name, (_, y) in splits.items()}
    return Reference(
        network=task.kind,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        lr=rate(task),
        updates=trained.updates,
        stopped_by=trained.stopped_by,
        rows_used=len(task.fit[0]),
        train=score("fit", outputs["fit"]),
        held_out_training=score("held", outputs["held"]),
        validation=score("validation", outputs["validation"]),
        train_loss=losses["fit"],
        validation_loss=losses["validation"],
    )


def length(task: Task, *, seconds: float) -> int:
    """Updates that fit into so many seconds of one core."""
    rows = batch_size(task)
    one = networks.multiplications(task.kind, task.fit[0], outputs=task.outputs, vocabulary=task.vocabulary)
    each = UPDATE + BACK_AND_FORTH * rows * one / PER_SECOND
    return min(int((1 - LOOKING) * seconds / each), MOST_UPDATES, MOST_EPOCHS * -(-len(task.fit[0]) // rows))


def rate(task: Task) -> float:
    """The highest lr of its run."""
    return LR_OF_TEXTS if task.kind == "transformer" else LR


def batch_size(task: Task) -> int:
    """Rows of a batch."""
    x = task.fit[0]
    return min(len(x), POSITIONS // x.shape[1] if task.kind == "transformer" else BATCH)


def _trained(network: nn.Module, task: Task, *, seed: int, planned: int, ends: float) -> Trained | None:
    (x, y), size, peak = task.fit, batch_size(task), rate(task)
    optimizer = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    best, kept, worse = math.inf, dict[str, Tensor](), 0
    stopped_by = "length"
    network.train()
    for update in range(1, planned + 1):
        if len(order) < size:
            order = torch.randperm(len(x), generator=generator)
        rows, order = order[:size], order[size:]
        for group in optimizer.param_groups:
            group["lr"] = peak * _factor(update, planned)
        optimizer.zero_grad()
        task.loss(network(x[rows]), y[rows]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        late = time.perf_counter() > ends
        if late or update % max(1, planned // LOOKS) == 0 or update == planned:
            now = _held_loss(network, task)
            if now < best:
                best, worse, kept = now, 0, {k: v.clone() for k, v in network.state_dict().items()}
            else:
                worse += 1
            if late or worse >= PATIENCE:
                stopped_by = "time" if late else "early_stopping"
                break
    if not kept or update < FEWEST:
        return None
    network.load_state_dict(kept)
    return Trained(network, update, stopped_by)


def _factor(update: int, planned: int) -> float:
    """Of the lr: up in a straight line, then down along a cosine."""
    warm = WARM_UP * planned
    if update < warm:
        return update / warm
    return 0.5 * (1 + math.cos(math.pi * (update - warm) / (planned - warm + 1)))


def _held_loss(network: nn.Module, task: Task) -> float:
    x, y = (part[:MOST_HELD] for part in task.held)
    loss = float(task.loss(_outputs(network, x), y))
    network.train()
    return loss if math.isfinite(loss) else math.inf


def _outputs(network: nn.Module, x: Tensor) -> Tensor:
    network.eval()
    with torch.no_grad():
        return torch.cat([network(x[start : start + CHUNK]) for start in range(0, len(x), CHUNK)])
