"""How many nodes of past autograd graphs are still alive, and how much memory do they hold?

A node of the graph is a C++ object and takes no weak reference. Its `metadata` dictionary lives exactly as long as the
node, so a sentinel is put there and watched instead.

Covers: graphs kept through a loss, an output, or a running total, whoever holds them.
Does not cover: tensors kept without a graph; buffers that custom functions hold outside `save_for_backward`.
"""

import gc
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

LARGEST_GRAPH = 20_000  # nodes walked per graph: a walk costs about 2 µs a node, and a dozen batches are looked at
_KEY = "diagnoser"


class _Sentinel:
    """Lives as long as the node it was put into."""

    __slots__ = ("__weakref__", "bytes")

    def __init__(self, size: int) -> None:
        self.bytes = size  # of saved tensors that a backward with `retain_graph` leaves in place


class LiveGraph:
    """Watches the graphs it is shown."""

    def __init__(self, ignored: Iterable[Tensor]) -> None:
        self._ignored = {tensor.data_ptr() for tensor in ignored}  # parameters: they live anyway
        self._sentinels: list[weakref.ref[_Sentinel]] = []
        self._names: dict[type, tuple[str, ...]] = {}
        self._last = 0
        self._cycles = True  # until proven otherwise, graphs may hang in reference cycles
        self.bytes_of_one_graph = 0

    def watch(self, roots: Iterable[Tensor], *, retained: bool) -> None:
        """Put a sentinel into each node behind these tensors that has none yet."""
        stack: list[Any] = [root.grad_fn for root in roots if root.grad_fn is not None]
        seen, total = 0, 0
        while stack and seen < LARGEST_GRAPH:
            node = stack.pop()
            if (
                node is None or hasattr(node, "variable") or _KEY in node.metadata
            ):  # `variable`: the leaf's own accumulator
                continue
            size = self._saved_bytes(node)
            sentinel = _Sentinel(size if retained else 0)
            node.metadata[_KEY] = sentinel
            self._sentinels.append(weakref.ref(sentinel))
            stack.extend(following for following, _ in node.next_functions)
            seen += 1
            total += size
        self.bytes_of_one_graph = max(self.bytes_of_one_graph, total)

    def count(self) -> tuple[int, int]:
        """Nodes alive, and bytes of saved tensors that they hold.

        When there are more than before, garbage is collected first; not again once that has freed none of them, because
        a collection takes a tenth of a second.
        """
        alive = self._alive()
        if len(alive) > self._last > 0 and self._cycles:
            gc.collect()
            found = self._alive()
            self._cycles = len(found) < len(alive)
            alive = found
        self._last = len(alive)
        self._sentinels = [reference for reference in self._sentinels if reference() is not None]
        return len(alive), sum(sentinel.bytes for sentinel in alive)

    def _alive(self) -> list[_Sentinel]:
        return [sentinel for reference in self._sentinels if (sentinel := reference()) is not None]

    def _saved_bytes(self, node: Any) -> int:
        total = 0
        kind = type(node)
        if kind not in self._names:
            self._names[kind] = _saved_names(node)
        for name in self._names[kind]:
            try:
                value = getattr(node, name)
            except RuntimeError:  # freed already: an older graph that is part of this one
                continue
            for tensor in value if isinstance(value, tuple | list) else (value,):
                if (
                    isinstance(tensor, Tensor)
                    and tensor.layout == torch.strided
                    and tensor.data_ptr() not in self._ignored
                ):
                    total += tensor.numel() * tensor.element_size()
        return total


def _saved_names(node: Any) -> tuple[str, ...]:
    """Attributes of a node that hold saved tensors."""
    return tuple(name for name in dir(node) if name == "saved_tensors" or name.startswith("_saved_"))
