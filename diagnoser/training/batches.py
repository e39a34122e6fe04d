"""What is in a batch: tuples, dicts and tensors of any nesting, walked, cut and put together again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Batch = Any
"""What a DataLoader of the user yields: a tuple, dict, tensor..."""

Path = tuple[Any, ...]
"""Where a part of a batch stands: indices and keys from the outside in."""

_SHOWN_KEYS = 12  # of a dict in a message


def map_tensors(function: Callable[[Tensor], Any], value: Any) -> Any:
    """Apply a function to every tensor; what is no tensor stays, containers keep their type."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return _mapping_like(value, {key: map_tensors(function, item) for key, item in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(function, item) for item in value))
    if isinstance(value, tuple):
        return tuple([map_tensors(function, item) for item in value])
    if isinstance(value, list):
        return [map_tensors(function, item) for item in value]
    return value


def leaves(value: Any) -> Iterator[Any]:
    """Yield every part of a batch that is no container, in order."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def tensors(value: Any) -> list[Tensor]:
    """List every tensor of a batch, in order."""
    return [leaf for leaf in leaves(value) if isinstance(leaf, Tensor)]


def pick(value: Any, rows: Tensor) -> Any:
    """Take rows of a batch by index: always a copy, so that user code may change it in place."""
    return map_tensors(lambda tensor: tensor.index_select(0, rows), value)


def to_device(value: Any, device: torch.device) -> Any:
    """Move every tensor."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping | list | tuple):
        return map_tensors(lambda tensor: tensor.to(device, non_blocking=True), value)
    return value.to(device) if hasattr(value, "to") else value


def pin(value: Any) -> Any:
    """Put tensors of the host into memory that a device can copy from on its own; what lies there already stays."""
    return map_tensors(lambda tensor: tensor.pin_memory() if tensor.device.type == "cpu" else tensor, value)


def concatenated(chunks: Sequence[Any]) -> Any | None:
    """Join batches of one structure along the rows; None when their shapes do not allow it."""
    first = chunks[0]
    if isinstance(first, Tensor):
        shapes = {chunk.shape[1:] if isinstance(chunk, Tensor) and chunk.ndim else None for chunk in chunks}
        return torch.cat(list(chunks)) if len(shapes) == 1 and None not in shapes else None
    if isinstance(first, Mapping):
        joined: dict[Any, Any] = {}
        for key in first:
            if any(key not in chunk for chunk in chunks):
                return None
            joined[key] = concatenated([chunk[key] for chunk in chunks])
        return None if any(item is None for item in joined.values()) else _mapping_like(first, joined)
    if isinstance(first, list | tuple) and first:
        if any(len(chunk) != len(first) for chunk in chunks):
            return None
        parts: list[Any] = [concatenated([chunk[i] for chunk in chunks]) for i in range(len(first))]
        if any(part is None for part in parts):
            return None
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return None


def same(one: Any, other: Any) -> bool:
    """Tell whether two batches hold equal tensors (NaN equal to NaN)."""
    first, second = list(leaves(one)), list(leaves(other))
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        if isinstance(a, Tensor) != isinstance(b, Tensor):
            return False
        if isinstance(a, Tensor) and not _equal(a, b):
            return False
    return True


def _equal(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a, b) or (a.is_floating_point() and torch.equal(a.nan_to_num(), b.nan_to_num()))


def length(value: Any) -> int:
    """Count the rows: the first dimension of the first tensor that has one."""
    for leaf in leaves(value):
        if isinstance(leaf, Tensor) and leaf.ndim:
            return int(leaf.shape[0])
    return 0


def get(value: Any, path: Path) -> Any:
    """Return the part of a batch at a path."""
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: Path, part: Any) -> Any:
    """Return the batch with one part replaced; the given one stays as it was."""
    if not path:
        return part
    key, rest = path[0], path[1:]
    changed = put(value[key], rest, part)
    if isinstance(value, Mapping):
        return _mapping_like(value, {**value, key: changed})
    items = list(value)
    items[key] = changed
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def described(value: Any, *, indent: str = "") -> str:
    """Say what a batch really is: types, shapes, keys."""
    if isinstance(value, Tensor):
        return f"tensor of {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    deeper = indent + "  "
    if isinstance(value, Mapping):
        lines = [
            f"\n{deeper}{key!r}: {described(item, indent=deeper)}" for key, item in list(value.items())[:_SHOWN_KEYS]
        ]
        return f"{type(value).__name__} with keys" + "".join(lines)
    if isinstance(value, list | tuple):
        if all(not isinstance(item, Tensor | Mapping | list | tuple) for item in value):
            kinds = sorted({type(item).__name__ for item in value})
            return f"{type(value).__name__} of {len(value)} {' and '.join(kinds) or 'items'}"
        lines = [f"\n{deeper}[{i}]: {described(item, indent=deeper)}" for i, item in enumerate(value[:_SHOWN_KEYS])]
        return f"{type(value).__name__} of {len(value)}" + "".join(lines)
    return f"object of class {type(value).__name__}"


def _mapping_like(value: Any, items: dict[Any, Any]) -> Any:
    if type(value) is dict:
        return items
    try:
        return type(value)(items)
    except TypeError:  # a mapping with a constructor of its own
        return items
