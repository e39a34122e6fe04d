"""Which rows are there, and in which order do they come? The user's splits behind one interface."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from diagnoser.training.batches import Batch, pick, pin, tensors, to_device
from diagnoser.training.memory import available_bytes
from diagnoser.training.randomness import derived, forked
from diagnoser.training.unsupported import Unsupported

__all__ = ["Batch", "Split"]

Rows = Sequence[int] | Tensor

RESIDENT_SHARE = 0.5  # of a device's free memory that rows may take: the rest is for models and what they compute


@dataclass(frozen=True, kw_only=True)
class Split:
    """One of train, validation and test. Rows are taken by index, whatever the user gave."""

    name: str
    rows: int
    batch_size: int
    shuffle: bool
    drop_last: bool = False
    memory: Batch | None = None  # every row, collated; None: too large, or different at each read
    dataset: Any | None = None  # the user's own objects, if any
    loader: DataLoader[Any] | None = None
    collate: Callable[[list[Any]], Batch] | None = None
    workers: int = 0
    indices: Tensor | None = None  # the rows of `dataset` that this split has; None: all
    sampler: Any | None = None  # the user's own order; decides how many rows an epoch has
    batch_sampler: Any | None = None
    changed: tuple[Callable[[Batch], Batch], ...] = ()  # applied to each batch that is taken
    remarks: tuple[str, ...] = ()  # what was assumed while reading
    pinned: bool = False  # batches go to a device: made in memory from which it copies while we work on
    known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was worked out from these very rows and is asked for by every trial; other rows get a new one."""

    @property
    def in_memory(self) -> bool:
        """Whether every row lies in memory as a tensor."""
        return self.memory is not None

    def take(self, indices: Rows) -> Batch:
        """Return rows by index, collated."""
        if self.memory is not None:
            rows = indices if isinstance(indices, Tensor) else torch.tensor(list(indices), dtype=torch.int64)
            batch = pick(self.memory, rows)
        else:
            batch = self._read([int(i) for i in indices])
        for change in self.changed:
            batch = change(batch)
        return batch

    def head(self, rows: int) -> Batch:
        """Return the first rows."""
        return self.take(torch.arange(min(rows, self.rows), device=self.device_of_rows()))

    def batches(
        self, *, seed: int, epoch: int, batch_size: int | None = None, shuffle: bool | None = None
    ) -> Iterator[Batch]:
        """Yield one epoch; the order depends on seed and epoch alone."""
        order = self.order(seed=seed, epoch=epoch, batch_size=batch_size, shuffle=shuffle)
        if self.memory is None and self.workers > 0:
            made = self._with_workers(order, seed=derived(seed, "workers", epoch))
        else:
            made = (self.take(rows) for rows in order)
        yield from map(pin, made) if self.pinned else made

    def order(
        self, *, seed: int, epoch: int, batch_size: int | None = None, shuffle: bool | None = None
    ) -> Sequence[Rows]:
        """Return the rows of each batch of an epoch."""
        key = derived(seed, "order", epoch)
        if self.batch_sampler is not None and batch_size is None and shuffle is None:
            with forked(key), _reseeded(getattr(self.batch_sampler, "sampler", None), key):
                return [list(rows) for rows in self.batch_sampler]
        shuffled = self.shuffle if shuffle is None else shuffle
        if self.sampler is not None and shuffle is None:
            with forked(key), _reseeded(self.sampler, key):
                rows = torch.tensor(list(self.sampler), dtype=torch.int64)
        elif shuffled:
            rows = torch.randperm(self.rows, generator=torch.Generator().manual_seed(key))
        else:
            rows = torch.arange(self.rows)
        size = self.batch_size if batch_size is None else batch_size
        chunks = torch.split(rows.to(self.device_of_rows()), size)
        if self.drop_last and batch_size is None and len(chunks) > 1 and len(chunks[-1]) < size:
            chunks = chunks[:-1]
        return chunks

    def batches_per_epoch(self) -> int:
        """Count the batches of an epoch."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        rows = len(self.sampler) if self.sampler is not None else self.rows
        full, rest = divmod(rows, self.batch_size)
        return max(1, full + (1 if rest and not (self.drop_last and full) else 0))

    def subset(self, indices: Rows) -> "Split":
        """Return the split with these rows only; an order of the user's own becomes plain shuffling."""
        rows = indices if isinstance(indices, Tensor) else torch.tensor(list(indices), dtype=torch.int64)
        own_order = self.sampler is not None or self.batch_sampler is not None
        kept = replace(
            self, rows=len(rows), shuffle=self.shuffle or own_order, sampler=None, batch_sampler=None, loader=None,
            known={},
        )  # fmt: skip
        if self.memory is not None:
            return replace(kept, memory=pick(self.memory, rows))
        return replace(kept, indices=rows if self.indices is None else self.indices[rows])

    def materialised(self) -> "Split":
        """Return the split with its rows read once and kept, changes applied: for a few rows.

        Rows that their collate function lays end to end (bags of words, graphs) cannot be cut apart again: they are
        read anew for each batch.
        """
        memory = self.take(torch.arange(self.rows, device=self.device_of_rows()))
        if any(not tensor.ndim or len(tensor) != self.rows for tensor in tensors(memory)):
            return self
        return replace(self, memory=memory, changed=(), workers=0, loader=None, known={})

    def with_settings(
        self, *, batch_size: int | None = None, shuffle: bool | None = None, drop_last: bool | None = None
    ) -> "Split":
        """Return the split batched in another way, rebuilt from its data set and collate function."""
        if self.batch_sampler is not None:
            raise Unsupported(
                "the DataLoader has a batch sampler of its own, which decides on size and order of batches"
            )
        return replace(
            self,
            loader=None,
            batch_size=self.batch_size if batch_size is None else batch_size,
            shuffle=self.shuffle if shuffle is None else shuffle,
            sampler=self.sampler if shuffle is None else None,
            drop_last=self.drop_last if drop_last is None else drop_last,
        )

    def with_change(self, change: Callable[[Batch], Batch]) -> "Split":
        """Return the split with a function applied to each batch; at once when the rows lie in memory."""
        if self.memory is not None:
            return replace(self, memory=change(self.memory), known={})
        return replace(self, changed=(*self.changed, change), known={})

    def on(self, device: torch.device) -> "Split":
        """Return the split for a device: its rows resident there when they fit, so that a batch needs no copy.

        They are moved once, whatever number of trials ask. Rows that do not fit, or are read anew for each batch, stay
        on the host; their batches are pinned, so that the next one is made and copied while the device computes.
        """
        if device.type == "cpu" or self.device_of_rows().type == device.type:
            return self
        if self.memory is None:
            return replace(self, pinned=True)
        of, at, rows = self.known.get("resident", (None, None, None))
        if of is not self.memory or at != device:
            free = available_bytes(device)
            if free is not None and sum(tensor.nbytes for tensor in tensors(self.memory)) > RESIDENT_SHARE * free:
                return replace(self, pinned=True)
            rows = to_device(self.memory, device)
            self.known["resident"] = (self.memory, device, rows)
        return replace(self, memory=rows)

    def device_of_rows(self) -> torch.device:
        found = tensors(self.memory) if self.memory is not None else []
        return found[0].device if found else torch.device("cpu")

    def _read(self, indices: list[int]) -> Batch:
        assert self.dataset is not None
        assert self.collate is not None
        rows = indices if self.indices is None else self.indices[indices].tolist()
        if hasattr(self.dataset, "__getitems__"):
            items = self.dataset.__getitems__(rows)
        else:
            items = [self.dataset[row] for row in rows]
        return self.collate(items)

    def _with_workers(self, order: Sequence[Rows], *, seed: int) -> Iterator[Batch]:
        assert self.dataset is not None
        batches = [[int(i) for i in (rows if self.indices is None else self.indices[rows])] for rows in order]
        loader: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=batches,
            collate_fn=self.collate,
            num_workers=self.workers,
            worker_init_fn=self.loader.worker_init_fn if self.loader is not None else None,
            generator=torch.Generator().manual_seed(seed),
            pin_memory=self.pinned,
        )
        for batch in loader:
            for change in self.changed:
                batch = change(batch)
            yield batch


class _reseeded:  # noqa: N801  # reads as a verb: with _reseeded(sampler, seed)
    """Seed a sampler's own generator for one epoch, and give it back its state."""

    def __init__(self, sampler: Any, seed: int) -> None:
        generator = getattr(sampler, "generator", None)
        self.generator = generator if isinstance(generator, torch.Generator) else None
        self.seed = seed

    def __enter__(self) -> None:
        if self.generator is not None:
            self.state = self.generator.get_state()
            self.generator.manual_seed(self.seed)

    def __exit__(self, *_: object) -> None:
        if self.generator is not None:
            self.generator.set_state(self.state)


def build_splits(*args: Any, **kwargs: Any) -> tuple[Split, Split, Split | None]:
    """Read what the user's data factory returns; see `reading.build_splits`."""
    from diagnoser.training.reading import build_splits as build

    return build(*args, **kwargs)
