"""What did the user's data factory return, and can its rows be kept in memory?"""

import hashlib
import inspect
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler as PlainBatchSampler
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import Data, TrainingSpec
from diagnoser.training.batches import concatenated, described, length, same, tensors
from diagnoser.training.data import Split
from diagnoser.training.failures import USER_STOPS, user_code_error
from diagnoser.training.live import LiveObjects
from diagnoser.training.randomness import derived, forked, seed_everything
from diagnoser.training.resolve import import_attribute

LARGEST_IN_MEMORY = 2**30  # bytes of one split
LONGEST_READ = 20.0  # seconds of one split
CHECKED_ROWS = 32  # read twice, and alone, before a data set counts as unchanging
HELD_OUT = 0.1  # of the training rows, where the user gave no validation set
_FINGERPRINT_BYTES = 2**28  # of a split are hashed whole; above, evenly spread rows

Splits = tuple[Split, Split, Split | None]
_NAMES = ("train", "validation", "test")


def build_splits(
    spec: TrainingSpec,
    *,
    folder: Path,
    objects: LiveObjects | None = None,
    plain: bool = False,
    seed: int | None = None,
) -> Splits:
    """Call the user's data factory under the spec's seed and read what it returns. Raises UserCodeError.

    `plain` calls it with `data.plain_args`, the arguments that turn augmentation off.
    """
    live = objects.data if objects is not None else None
    seed_everything(spec.seed if seed is None else seed)
    if live is not None and not callable(live):
        made = live
    else:
        factory = live if live is not None else import_attribute(spec.data.factory, folder=folder)
        args = {**spec.data.args, **((spec.data.plain_args or {}) if plain else {})}
        try:
            made = factory(**args)
        except USER_STOPS as error:
            raise user_code_error(f"data: {spec.data.factory} failed", error) from error
    parts, remarks = _parts(made, spec=spec)
    try:
        splits = [_split(part, name=name, data=spec.data) for part, name in zip(parts, _NAMES, strict=False)]
    except USER_STOPS as error:
        raise user_code_error(f"data: what {spec.data.factory} returned could not be read", error) from error
    if len(splits) == 1:
        splits = _held_out(splits[0], seed=spec.seed)
    splits[0] = replace(splits[0], remarks=(*splits[0].remarks, *remarks))
    return splits[0], splits[1], splits[2] if len(splits) > 2 else None


def fingerprint(splits: Splits) -> str:
    """Hash the data as read: equal data gives equal text."""
    digest = hashlib.sha256()
    for split in splits:
        if split is None:
            continue
        batch = split.memory
        if batch is None or sum(t.nbytes for t in tensors(batch)) > _FINGERPRINT_BYTES:
            rows = torch.linspace(0, split.rows - 1, min(split.rows, 4 * CHECKED_ROWS)).long()
            with forked(0):
                batch = split.take(rows)
        digest.update(f"{split.name} {split.rows} {described(batch)}".encode())
        for tensor in tensors(batch):
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"


def _parts(made: Any, *, spec: TrainingSpec) -> tuple[list[Any], tuple[str, ...]]:
    """Cut what the factory returned into two or three splits, or one of which some rows are held out."""
    wanted = f"{spec.data.factory} must return (train, validation) or (train, validation, test)"
    if inspect.isgenerator(made):
        made = tuple(made)
    if isinstance(made, Mapping) and "train" in made:
        others = [made[key] for key in ("validation", "val", "valid", "dev", "test") if key in made]
        return [made["train"], *others][:3], ()
    none_given = (f"no validation set was given: {HELD_OUT:.0%} of the training rows were held out",)
    if _is_dataset(made) or isinstance(made, DataLoader | IterableDataset):
        return [made], none_given
    if not isinstance(made, tuple | list):
        raise UserCodeError(
            f"data: {wanted}, each a data set, a DataLoader or a pair (inputs, targets); it returned {_kind(made)}"
        )
    if len(made) == 2 and all(_is_array(part) for part in made) and _is_inputs_and_targets(*made):
        return [tuple(made)], none_given
    if len(made) == 4 and all(_is_array(part) for part in made):
        raise UserCodeError(
            f"data: {wanted}, each a pair: it returned 4 arrays. "
            "Return ((x_train, y_train), (x_validation, y_validation)) instead"
        )
    if len(made) not in {2, 3}:
        raise UserCodeError(f"data: {wanted}; it returned {len(made)} things")
    return list(made), ()


def _split(part: Any, *, name: str, data: Data) -> Split:
    train = name == "train"
    if isinstance(part, DataLoader):
        return _from_loader(part, name=name)
    shuffle = data.shuffle and train
    if isinstance(part, IterableDataset):
        return _from_loader(DataLoader(part, batch_size=data.batch_size), name=name)
    if _is_dataset(part) and not _is_array(part):
        size = _not_empty(len(part), name=name)
        whole = Split(
            name=name, rows=size, batch_size=data.batch_size, shuffle=shuffle, dataset=part,
            collate=default_collate, workers=data.workers,
        )  # fmt: skip
        return _kept(whole)
    memory = _as_tensors(part, name=name)
    rows = _not_empty(length(memory), name=name)
    return Split(name=name, rows=rows, batch_size=data.batch_size, shuffle=shuffle, memory=memory)


def _from_loader(loader: DataLoader[Any], *, name: str) -> Split:
    if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
        return _from_batches(loader, name=name)
    sampler, batch_sampler = loader.sampler, loader.batch_sampler
    plain_random = type(sampler) is RandomSampler and not sampler.replacement and sampler._num_samples is None  # noqa: SLF001  # public only as the sum
    own_batches = type(batch_sampler) is not PlainBatchSampler
    split = Split(
        name=name,
        rows=_not_empty(len(loader.dataset), name=name),  # type: ignore[arg-type]  # a stream was dealt with above
        batch_size=loader.batch_size or _first_length(loader),
        shuffle=plain_random,
        drop_last=loader.drop_last,
        dataset=loader.dataset,
        loader=loader,
        collate=loader.collate_fn,
        workers=loader.num_workers,
        sampler=None if plain_random or own_batches or type(sampler) is SequentialSampler else sampler,
        batch_sampler=batch_sampler if own_batches else None,
    )
    return _kept(split)


def _first_length(loader: DataLoader[Any]) -> int:
    return max(1, len(next(iter(loader.batch_sampler))))  # type: ignore[arg-type]  # any sampler of index lists


def _from_batches(loader: DataLoader[Any], *, name: str) -> Split:
    """Keep what a stream of batches yields: it cannot be read by row."""
    chunks, size, deadline = [], 0, time.monotonic() + LONGEST_READ
    remark: tuple[str, ...] = ()
    for chunk in loader:
        chunks.append(chunk)
        size += sum(tensor.nbytes for tensor in tensors(chunk))
        if size > LARGEST_IN_MEMORY or time.monotonic() > deadline:
            remark = (f"the stream of {name} rows was cut after {sum(map(length, chunks))} rows",)
            break
    memory = concatenated(chunks) if chunks else None
    if memory is None:
        raise UserCodeError(
            f"data: the {name} split is a stream whose batches {'are none' if not chunks else 'differ in shape'}; "
            "give a map-style data set, with __len__ and __getitem__"
        )
    return Split(
        name=name, rows=length(memory), batch_size=max(1, length(chunks[0])), shuffle=False, memory=memory,
        dataset=loader.dataset, loader=loader, remarks=remark,
    )  # fmt: skip


def _kept(split: Split) -> Split:
    """Read a data set into memory when its rows are the same at each read, and fit."""
    assert split.collate is not None
    if type(split.dataset) is TensorDataset and split.collate is default_collate:
        return replace(split, memory=[tensor.detach() for tensor in split.dataset.tensors])
    few = torch.unique(torch.linspace(0, split.rows - 1, min(split.rows, CHECKED_ROWS)).long())
    seed = derived(0, "two reads")
    start = time.monotonic()
    with forked(seed):
        once = split.take(few)
    each = (time.monotonic() - start) / len(few)
    with forked(seed + 1):
        again = split.take(few)
    found = tensors(once)
    whole = found and all(t.ndim and len(t) == len(few) for t in found) and concatenated([once, once]) is not None
    fits = (
        sum(t.nbytes for t in found) / len(few) * split.rows <= LARGEST_IN_MEMORY and each * split.rows <= LONGEST_READ
    )
    if not whole or not fits or not same(once, again) or not same(once, _one_by_one(split, few)):
        return split
    with forked(seed):
        memory = _read_all(split)
    return split if memory is None else replace(split, memory=memory)


def _one_by_one(split: Split, rows: Tensor) -> Any:
    """Collate each row alone: equal to one batch unless the collate function pads or mixes."""
    with forked(0):
        return concatenated([split.take(rows[i : i + 1]) for i in range(len(rows))])


def _read_all(split: Split) -> Any | None:
    chunks, deadline = [], time.monotonic() + LONGEST_READ
    for rows in torch.split(torch.arange(split.rows), 1024):
        chunks.append(split.take(rows))
        if time.monotonic() > deadline:
            return None
    return concatenated(chunks)


def _held_out(split: Split, *, seed: int) -> list[Split]:
    order = torch.randperm(split.rows, generator=torch.Generator().manual_seed(derived(seed, "held out")))
    cut = max(1, int(HELD_OUT * split.rows))
    train, validation = split.subset(order[cut:].sort().values), split.subset(order[:cut].sort().values)
    return [train, replace(validation, name="validation", shuffle=False, drop_last=False)]


def _as_tensors(part: Any, *, name: str) -> Any:
    if isinstance(part, Mapping):
        made: Any = {key: _as_tensors(item, name=name) for key, item in part.items()}
    elif isinstance(part, tuple | list) and any(
        _is_array(item) or isinstance(item, Mapping | list | tuple) for item in part
    ):
        made = tuple(_as_tensors(item, name=name) for item in part)
    else:
        return _as_tensor(part)
    sizes = {len(tensor) for tensor in tensors(made) if tensor.ndim}
    if len(sizes) > 1:
        counts = " and ".join(str(len(tensor)) for tensor in tensors(made))
        raise UserCodeError(f"data: inputs and targets of {name} have different numbers of rows: {counts}")
    return made


def _as_tensor(part: Any) -> Tensor:
    """Make a tensor; arrays of float64 get torch's default type, as every model expects."""
    if isinstance(part, Tensor):
        return part.detach()
    array = part.to_numpy() if hasattr(part, "to_numpy") else np.asarray(part)
    if array.dtype == object or array.dtype.kind in "US":
        raise UserCodeError(f"data: an array of {array.dtype} is not numeric; encode its values as numbers")
    tensor = torch.tensor(array)
    if tensor.is_floating_point():
        return tensor.to(torch.get_default_dtype())
    return tensor if tensor.dtype in {torch.bool, torch.uint8} else tensor.long()


def _is_array(part: Any) -> bool:
    return isinstance(part, Tensor | np.ndarray) or hasattr(part, "to_numpy")


def _is_dataset(part: Any) -> bool:
    if isinstance(part, tuple | Mapping | str | Tensor | np.ndarray) or hasattr(part, "to_numpy"):
        return False
    if isinstance(part, list):
        return bool(part) and isinstance(part[0], tuple | Mapping) and not all(_is_array(p) for p in part)
    return hasattr(part, "__getitem__") and hasattr(part, "__len__")


def _is_inputs_and_targets(first: Any, second: Any) -> bool:
    """Tell one pair from two splits of inputs alone: as many rows, of another shape."""
    one, other = tuple(first.shape), tuple(second.shape)
    return bool(one and other) and one[0] == other[0] and one[1:] != other[1:]


def _not_empty(rows: int, *, name: str) -> int:
    if rows == 0:
        raise UserCodeError(f"data: the {name} split is empty; it must have at least one row")
    return rows


def _kind(made: Any) -> str:
    return described(made) if isinstance(made, Tensor) else f"an object of class {type(made).__name__}"
