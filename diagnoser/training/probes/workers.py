"""Do two worker processes draw the same random numbers?

A worker starts as a copy of the data set. Torch seeds the global generators of each worker differently; a generator
that the data set holds is copied with it, and then two workers make the same "random" change to different rows.
Two real workers with the user's `worker_init_fn` read the same rows again and again: what is random differs between
two reads of one worker, and should differ between workers too.
Does not cover: streams, and rows that are kept in memory, which no worker reads.
"""

import hashlib
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from diagnoser.training.batches import tensors
from diagnoser.training.data import Split
from diagnoser.training.probes.reads import own_copy
from diagnoser.training.randomness import forked

WORKERS = 2
ROWS = 16
READS = 4  # by each worker
FEWEST_CHANGED = 8  # rows that differ from the worker's first read; as many agree between workers by chance in no run
SECONDS = 30  # after which a worker that says nothing is given up
LONGEST = 3.0  # seconds of reading by each worker; slower data sets are not asked


def repeat(split: Split) -> bool | None:
    """Tell whether two workers draw the same; None where no two workers are asked for, or nothing could be told."""
    if (
        split.workers < WORKERS
        or split.in_memory
        or split.dataset is None
        or isinstance(split.dataset, IterableDataset)
    ):
        return None
    try:
        if _seconds_a_row(split) * ROWS * READS > LONGEST:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch counts the machine's cores
            reads = _reads(split)
    except Exception:  # noqa: BLE001  a data set that cannot go to a worker fails in training, with its own message
        return None
    if reads is None:
        return None
    first = reads[0::WORKERS]  # batches go to the workers in turn
    changed = sum(one != other for read in first[1:] for one, other in zip(first[0], read, strict=True))
    if changed == 0:
        return False  # nothing is random, or it is drawn by the row's number
    if changed < FEWEST_CHANGED:
        return None
    return all(one == other for one, other in zip(first, reads[1::WORKERS], strict=True))


def _seconds_a_row(split: Split) -> float:
    """Time one row of a copy; the first may be slow for other reasons."""
    dataset = own_copy(split)
    if dataset is None:
        return 0.0
    row = 0 if split.indices is None else int(split.indices[0])
    with forked(0):
        dataset[row]
        start = time.perf_counter()
        dataset[row]
    return time.perf_counter() - start


def _reads(split: Split) -> list[tuple[bytes, ...]] | None:
    """Hash the same rows as each worker reads them, in turn; None where batches are not made of rows."""
    chosen = torch.randperm(split.rows, generator=torch.Generator().manual_seed(0))[:ROWS]
    rows = (chosen if split.indices is None else split.indices[chosen]).tolist()
    loader: DataLoader[Any] = DataLoader(
        split.dataset,  # type: ignore[arg-type]  # asked above
        batch_sampler=[rows] * (WORKERS * READS),
        collate_fn=split.collate,
        num_workers=WORKERS,
        worker_init_fn=split.loader.worker_init_fn if split.loader is not None else None,
        generator=torch.Generator().manual_seed(0),
        timeout=SECONDS,
    )
    found = []
    for batch in loader:
        parts = tensors(batch)
        if not parts or any(not part.ndim or len(part) != len(rows) for part in parts):
            return None
        found.append(tuple(_digest([part[row] for part in parts]) for row in range(len(rows))))
    return found


def _digest(parts: Sequence[torch.Tensor]) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(part.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.digest()
