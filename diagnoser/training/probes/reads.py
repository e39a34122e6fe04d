"""Does the user's data set give the same rows again?

Covers: random transforms, and rows that are changed in place while they are read.
Does not cover: streams, and what a data set keeps outside its own attributes.
"""

import copy
import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from diagnoser.training.data import Split
from diagnoser.training.randomness import forked

VALIDATION_ROWS = 32
TRAINING_ROWS = 64
DEPTH = 4  # data set -> subset -> data set -> transform: where a generator of the user's own may live
COPIED = 2**28  # bytes; a larger data set is read as it is, and not on a copy


def reads_differ(split: Split) -> bool:
    """Read the same rows twice, the random state going on: are they different?"""
    dataset = own_copy(split)
    if dataset is None:
        return False
    rows = range(min(VALIDATION_ROWS, len(dataset)))
    with forked(0):
        return _read(dataset, rows) != _read(dataset, rows)


def rows_change(split: Split) -> bool:
    """Read the same rows twice from one random state, generators of the data set's own included: are they different?"""
    dataset = own_copy(split)
    if dataset is None:
        return False
    rows = np.random.default_rng(0).permutation(len(dataset))[:TRAINING_ROWS].tolist()
    generators = list(_generators(dataset, depth=DEPTH))
    states = [_state(generator) for generator in generators]
    with forked(0):
        once = _read(dataset, rows)
    for generator, state in zip(generators, states, strict=True):
        _set_state(generator, state)
    with forked(0):
        return once != _read(dataset, rows)


def own_copy(split: Split) -> Any | None:
    """Copy the user's data set, so that reading it changes nothing that trials use."""
    dataset = split.dataset
    if dataset is None or isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        return None
    if _held_bytes(dataset) > COPIED:
        return dataset
    try:
        return copy.deepcopy(dataset)
    except Exception:  # noqa: BLE001  an open file or a handle cannot be copied: then the data set itself is read
        return dataset


def _held_bytes(dataset: Any) -> int:
    return sum(v.nbytes for v in _attributes(dataset, depth=DEPTH) if isinstance(v, Tensor | np.ndarray))


def _read(dataset: Any, rows: Sequence[int]) -> list[bytes]:
    return [_digest(dataset[row]) for row in rows]


def _digest(item: Any) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for part in _parts(item):
        if isinstance(part, Tensor):
            part = part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
        elif hasattr(part, "__array__"):
            part = np.ascontiguousarray(np.asarray(part))
        found.update(part.tobytes() if isinstance(part, np.ndarray) and part.dtype != object else repr(part).encode())
    return found.digest()


def _parts(item: Any) -> Iterator[Any]:
    if isinstance(item, dict):
        for value in item.values():
            yield from _parts(value)
    elif isinstance(item, list | tuple):
        for value in item:
            yield from _parts(value)
    else:
        yield item


def _attributes(owner: Any, *, depth: int) -> Iterator[Any]:
    """Walk what an object holds, a few levels deep."""
    inner = list(getattr(owner, "__dict__", {}).values())
    if isinstance(owner, list | tuple) and len(owner) < 50:  # the steps of a transform, not the rows of a data set
        inner += owner
    for value in inner:
        yield value
        if depth > 1 and not isinstance(value, Tensor | np.ndarray | str | bytes | int | float | type):
            yield from _attributes(value, depth=depth - 1)


def _generators(dataset: Any, *, depth: int) -> Iterator[Any]:
    kinds = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator)
    seen: set[int] = set()
    for value in _attributes(dataset, depth=depth):
        if isinstance(value, kinds) and id(value) not in seen:
            seen.add(id(value))
            yield value


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    if isinstance(generator, random.Random):
        return generator.getstate()
    return copy.deepcopy(generator.get_state())


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)
