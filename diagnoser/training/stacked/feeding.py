"""Which rows does each trial of a stack get next? One batch for all where they agree, else one each.

Shapes: N trials, B rows of a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diagnoser.training.batches import map_tensors, tensors
from diagnoser.training.data import Split
from diagnoser.training.pictures import Augmented
from diagnoser.training.stacked.unstackable import Unstackable


@dataclass(frozen=True, kw_only=True)
class Fed:
    """A batch of every trial, taken apart for `vmap`."""

    parts: list[Tensor]  # the batch's tensors: (B, ...) when shared, else (N, B, ...)
    shared: bool
    example: Any  # a batch of this structure
    last: bool  # of its epoch

    def rebuilt(self, parts: Sequence[Tensor]) -> Any:
        """Put one trial's tensors back into the form of a batch."""
        given = iter(parts)
        return map_tensors(lambda _: next(given), self.example)


class Feed:
    """The batches of several trials, in lockstep."""

    def __init__(self, splits: Sequence[Split], seeds: Sequence[int], to_device: Callable[[Any], Any]) -> None:
        self.splits, self.seeds = list(splits), list(seeds)
        self._to_device = to_device
        if any(split.memory is None for split in splits):
            raise Unstackable("the rows are read anew for each batch")
        if len({split.batches_per_epoch() for split in splits}) > 1:
            raise Unstackable("the trials have epochs of different length")
        self._same_rows = all(split.memory is splits[0].memory for split in splits)
        self._augmented = any(isinstance(split, Augmented) for split in splits)
        self._orders: list[Sequence[Any]] = []

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these trials only, in the middle of an epoch."""
        self.splits = [self.splits[row] for row in rows]
        self.seeds = [self.seeds[row] for row in rows]
        self._orders = [self._orders[row] for row in rows]

    def epoch(self, epoch: int) -> Iterator[Fed]:
        """Yield the batches of one epoch."""
        known: dict[int, Sequence[Any]] = {}
        self._orders = []
        for seed, split in zip(self.seeds, self.splits, strict=True):
            if not self._same_rows or seed not in known:
                known[seed] = split.order(seed=seed, epoch=epoch)
            self._orders.append(known[seed])
        batches = len(self._orders[0])
        for number in range(batches):
            rows = [order[number] for order in self._orders]
            yield self._fed(rows, epoch=epoch, number=number, last=number == batches - 1)

    def _fed(self, rows: list[Any], *, epoch: int, number: int, last: bool) -> Fed:
        first = self.splits[0]
        if len({len(chosen) for chosen in rows}) > 1:
            raise Unstackable("the trials' batches differ in size")
        alike = self._same_rows and not self._augmented  # pictures are changed by each trial's seed
        if alike and all(order is self._orders[0] for order in self._orders):
            batch = self._to_device(first.take(rows[0]))
            return Fed(parts=tensors(batch), shared=True, example=batch, last=last)
        if alike:
            indices = [r if isinstance(r, Tensor) else torch.tensor(r, dtype=torch.int64) for r in rows]
            batch = self._to_device(first.take(torch.cat(indices)))
            parts = [part.unflatten(0, (len(rows), -1)) for part in tensors(batch)]
        else:
            batches = [
                self._to_device(_drawn(split, chosen, seed=seed, epoch=epoch, number=number))
                for split, chosen, seed in zip(self.splits, rows, self.seeds, strict=True)
            ]
            batch = batches[0]
            columns = zip(*(tensors(one) for one in batches), strict=True)
            parts = [torch.stack(column) for column in columns]
        return Fed(parts=parts, shared=False, example=batch, last=last)


def _drawn(split: Split, rows: Any, *, seed: int, epoch: int, number: int) -> Any:
    """Take a batch as training draws it: what a lone trial gets from `Split.batches`."""
    batch = split.take(rows)
    return split.augmented(batch, seed=seed, epoch=epoch, number=number) if isinstance(split, Augmented) else batch
