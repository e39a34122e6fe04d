"""What are the rows of a split, as arrays, and which of them are equal?"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diagnoser.training.batches import Batch, tensors
from diagnoser.training.data import Split
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

Array = npt.NDArray[Any]
Hashes = npt.NDArray[np.uint64]

LARGEST_SAMPLE = 20_000  # rows read of a split
LARGEST_BYTES = 128 * 2**20  # held of a split; arithmetic in float64 and hashing need some five times as much
CHUNK = 512  # rows read at once from a data set that is not in memory


@dataclass(frozen=True)
class Rows:
    """Rows of one split, read by index."""

    total: int  # rows that the split has
    indices: npt.NDArray[np.int64]  # those that were read, ascending
    inputs: tuple[Array, ...]  # each (n, ...); the first one is the input that is described
    target: Array | None  # (n, ...)

    @property
    def read(self) -> int:
        """Rows that were read."""
        return len(self.indices)

    @property
    def first(self) -> Array:
        """The first input."""
        return self.inputs[0]


def read(workload: Workload, split: Split, *, seed: int, limit: int = LARGEST_SAMPLE, seconds: float = 20.0) -> Rows:
    """Read all rows, or a random sample of `limit` rows that fit into memory and the time given."""
    order = np.random.default_rng(seed).permutation(split.rows) if split.rows > limit else np.arange(split.rows)
    parts: list[tuple[tuple[Array, ...], Array | None]] = []
    taken, size, started = 0, 0, time.perf_counter()
    wanted = order[:limit]
    chunk = len(wanted) if split.in_memory and _row_bytes(split) * len(wanted) <= LARGEST_BYTES else CHUNK
    if chunk < len(wanted):  # may stop early: then the part that was read must be a random one
        wanted = np.random.default_rng(seed).permutation(wanted)
    while taken < len(wanted) and size < LARGEST_BYTES and (not parts or time.perf_counter() - started < seconds):
        some = wanted[taken : taken + chunk]
        part = _arrays(workload, split.take(some.tolist()))
        if not _row_by_row(part, len(some)):
            raise Unsupported("the rows of a batch lie end to end, so they cannot be read as one table")
        parts.append(part)
        taken += len(some)
        size += sum(array.nbytes for array in part[0])
    targets = [part[1] for part in parts if part[1] is not None]
    try:
        inputs = tuple(np.concatenate(column) for column in zip(*(part[0] for part in parts), strict=True))
        target = np.concatenate(targets) if len(targets) == len(parts) else None
    except ValueError as error:
        raise Unsupported("rows differ in shape from batch to batch, so they cannot be read as one table") from error
    if not inputs:
        raise Unsupported("no tensor was found in a batch")
    indices = np.asarray(wanted[:taken], dtype=np.int64)
    ascending = np.argsort(indices, kind="stable")
    return Rows(
        total=split.rows,
        indices=indices[ascending],
        inputs=tuple(array[ascending] for array in inputs),
        target=None if target is None else target[ascending],
    )


def all_hashes(workload: Workload, split: Split, *, seconds: float) -> Hashes | None:
    """Hash every row of a split, a chunk at a time; None when that takes longer than the time given.

    None as well where batches are not made of rows that could be told apart.
    """
    end = time.perf_counter() + seconds
    found = []
    for start in range(0, split.rows, CHUNK):
        some = list(range(start, min(start + CHUNK, split.rows)))
        inputs, target = part = _arrays(workload, split.take(some))
        if not _row_by_row(part, len(some)):
            return None
        found.append(hashes((*inputs, target)))
        if time.perf_counter() > end:
            return None
    return np.concatenate(found)


def hashes(arrays: Sequence[Array | None]) -> Hashes:
    """Hash each row over all arrays by its bytes: equal rows and no others have equal hashes (64 bits)."""
    given = [np.ascontiguousarray(array) for array in arrays if array is not None]
    rows = len(given[0])
    views = [array.reshape(rows, -1).view(np.uint8).reshape(rows, -1) for array in given]
    packed = views[0] if len(views) == 1 else np.concatenate(views, axis=1)
    digests = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in np.ascontiguousarray(packed))
    return np.frombuffer(digests, dtype=np.uint64)


def repeated_share(hashed: Hashes) -> float:
    """Return the share of rows that are not the only one of their kind."""
    if not len(hashed):
        return 0.0
    _, counts = np.unique(hashed, return_counts=True)
    return float(counts[counts > 1].sum() / len(hashed))


def array_of(tensor: Tensor) -> Array:
    """Turn a tensor into an array on the CPU; types that NumPy lacks become float32."""
    plain = tensor.detach().cpu()
    if plain.dtype in (torch.bfloat16, torch.float16):
        plain = plain.float()
    return np.asarray(plain.numpy())


def target_of(workload: Workload, batch: Batch) -> Array | None:
    """Return the targets of a batch, if it has any that can be told apart from the inputs."""
    return _arrays(workload, batch)[1]


def _arrays(workload: Workload, batch: Batch) -> tuple[tuple[Array, ...], Array | None]:
    """Split a batch into inputs and target; without a layout its first tensor is taken for the input."""
    layout = workload.layout
    if layout is None:
        found = [tensor for tensor in tensors(batch) if tensor.ndim]
        return tuple(array_of(tensor) for tensor in found[:1]), array_of(found[1]) if len(found) > 1 else None
    target = layout.target(batch)
    inputs = [array_of(tensor) for tensor in tensors(layout.inputs(batch))]
    first = array_of(layout.first_input(batch))
    others = [array for array in inputs if not _same(array, first)]
    return (first, *others), None if target is None else array_of(target)


def _same(one: Array, other: Array) -> bool:
    numbers = one.dtype.kind == other.dtype.kind == "f"  # only they can be NaN, which equals NaN here
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=numbers))


def _row_by_row(part: tuple[tuple[Array, ...], Array | None], rows: int) -> bool:
    """Tell whether each array has one entry a row; a collate function may lay rows end to end (bags, graphs)."""
    inputs, target = part
    return all(len(array) == rows for array in (*inputs, *((target,) if target is not None else ())))


def _row_bytes(split: Split) -> int:
    return sum(tensor[:1].numel() * tensor.element_size() for tensor in tensors(split.take([0])))
