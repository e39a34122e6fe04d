"""What do a few updates reveal: parameters that no gradient ever reaches, and units that stay each other's twins?"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.probes.bench import Questions, fresh, step, trainable
from diagnoser.training.probes.kinds import EMBEDDINGS, NORMS
from diagnoser.training.probes.layers import rows_at_once
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

BATCHES = 8  # a branch that is taken at random should have been taken by then (CATALOGUE, unused-parameters)
UPDATES = 3  # a layer that starts at zero on purpose breaks its symmetry within three (CATALOGUE, symmetric-weights)
UNITS = 64  # pairs among so many: 2,016
TWINS_COSINE = 0.999  # of two units' gradients
# Twins have equal weights. Gradients alone are parallel in healthy layers too: behind one single input, or behind
# inputs with a large mean; and they are not quite parallel where equal weights meet biases that differ. Two random rows
# of even one weight come this close in one pair of forty.
TWINS_WEIGHTS = 0.05


@dataclass
class Updates:
    """What the first updates with the user's optimizer showed."""

    unused: tuple[str, ...] = ()
    similarity: dict[str, float] = field(default_factory=dict)  # by path of the layer
    fed: frozenset[str] = frozenset()  # attributes with unregistered parameters that a gradient reached


def watch(
    workload: Workload, model: nn.Module, hidden: set[str], outside: Mapping[str, list[Tensor]], questions: Questions
) -> Updates:
    """Train a fresh model for three updates. `outside`: what it holds unregistered, by attribute."""
    waiting = dict(trainable(model))
    batches = _batches(workload)
    first = _seen_on(workload, model, waiting, itertools.islice(batches, BATCHES), questions)
    fed = frozenset(name for name, tensors in outside.items() if any(tensor.grad is not None for tensor in tensors))
    start = unit_rows(model, hidden)
    similarity = twins(model, start)  # in case that the updates blow up
    optimizer = workload.build_optimizer(model)
    for number, batch in enumerate(itertools.islice(batches, UPDATES)):

        def closure(batch: Any = batch) -> Tensor:
            optimizer.zero_grad()
            with forked(1):
                loss = workload.loss(model, fresh(batch))
            loss.backward()
            return loss

        step(optimizer, closure)
        if number == 0 and waiting:
            _seen_on(workload, model, waiting, itertools.islice(batches, BATCHES), questions)
    model.zero_grad(set_to_none=True)
    _backward(workload, model, first)
    if all(weight.isfinite().all() for weight in model.parameters()):
        similarity = twins(model, start)
    return Updates(unused=tuple(waiting), similarity=similarity, fed=fed)


def _batches(workload: Workload) -> Iterator[Any]:
    """Give batches as training would, epoch after epoch."""
    for epoch in itertools.count():
        empty = True
        for batch in workload.train.batches(seed=0, epoch=epoch, batch_size=rows_at_once(workload)):
            empty = False
            yield workload.to_device(batch)
        if empty:
            return


def _backward(workload: Workload, model: nn.Module, batch: Any) -> None:
    with forked(1):
        loss = workload.loss(model, fresh(batch))
    if loss.requires_grad:
        loss.backward()


def _seen_on(
    workload: Workload, model: nn.Module, waiting: dict[str, nn.Parameter], batches: Iterator[Any], questions: Questions
) -> Any:
    """Take off `waiting` what has a gradient on a batch; the last gradient is left. Give the first batch."""
    first = None
    for batch in batches:
        first = batch if first is None else first
        model.zero_grad(set_to_none=True)
        _backward(workload, model, batch)
        for name, weight in list(waiting.items()):
            if weight.grad is not None and bool((weight.grad != 0).any()):
                del waiting[name]
        if not waiting or questions.time_is_up:
            break
    return first


def unit_rows(model: nn.Module, hidden: set[str]) -> dict[str, Tensor]:
    """Copy the weights of the hidden layers, one row per unit."""
    rows = {}
    for path, module in model.named_modules():
        weight = _weight(module) if path in hidden else None
        if weight is not None:
            rows[path] = _rows(module, weight.detach().clone())
    return rows


def twins(model: nn.Module, start: Mapping[str, Tensor]) -> dict[str, float]:
    """Give per hidden layer the share of unit pairs that are twins; `start`: their weights before any update."""
    shares = {}
    modules = dict(model.named_modules())
    for path, before in start.items():
        weight = _weight(modules[path])
        if weight is None or weight.grad is None or not weight.grad.isfinite().all():
            continue
        share = _twin_share(before, _rows(modules[path], weight.detach()), _rows(modules[path], weight.grad))
        if share is not None:
            shares[path] = share
    return shares


def _weight(module: nn.Module) -> nn.Parameter | None:
    if isinstance(module, (*NORMS, *EMBEDDINGS)):
        return None
    own = module.parameters(recurse=False)
    return next((weight for weight in own if weight.ndim >= 2 and weight.requires_grad), None)


def _rows(module: nn.Module, weight: Tensor) -> Tensor:
    """Lay out a weight with one row per unit, filters flattened: transposed convolutions keep their units second."""
    if isinstance(module, nn.modules.conv._ConvTransposeNd):  # noqa: SLF001 - the one class that all of them share
        weight = weight.transpose(0, 1)
    return weight.flatten(1).double()


def _twin_share(before: Tensor, after: Tensor, gradients: Tensor) -> float | None:
    """Twins have equal weights after the updates, and the same gradient or equal weights (but not 0) before.

    Where no gradient reaches any unit, those that began equal stay equal: a layer of zeros is nothing but twins. One
    that starts at 0 on purpose has left it by now.
    """
    reached = gradients.norm(dim=1) > 0
    if len(after) > 1 and not reached.any():
        return _share_of_pairs(_equal(before[:UNITS]) & _equal(after[:UNITS]))
    before, after, gradients = before[reached][:UNITS], after[reached][:UNITS], gradients[reached][:UNITS]
    if len(gradients) < 2:
        return None
    directions = gradients / gradients.norm(dim=1, keepdim=True)
    same_gradient = directions @ directions.T > TWINS_COSINE
    something = before.norm(dim=1) > 0  # layers that start at zero on purpose
    return _share_of_pairs(_equal(after) & (same_gradient | (_equal(before) & something[:, None] & something)))


def _share_of_pairs(twins: Tensor) -> float:
    pairs = torch.triu_indices(len(twins), len(twins), offset=1, device=twins.device)
    return float(twins[pairs[0], pairs[1]].double().mean())


def _equal(rows: Tensor) -> Tensor:
    norms = rows.norm(dim=1)
    apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    return apart <= TWINS_WEIGHTS * torch.maximum(norms[:, None], norms)
