"""What is a value made of, so that two of them can be compared part by part?"""

import functools
import types
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch

ATOMS = frozenset(
    {
        bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice,
        torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
    }
)  # fmt: skip
_OF_EVERY_CLASS = frozenset({"__dict__", "__weakref__", "__doc__", "__annotations__", "__firstlineno__"})
# Torch makes a class for each parametrised layer, whose properties hold on to that layer for a cache and nothing else.
_PARAMETRIZE = "torch.nn.utils.parametrize"
# What is compared part by part whatever its own `==` says, which would ask for the very same parts.
STRUCTURES = (
    list, tuple, deque, dict, types.FunctionType, types.MethodType, staticmethod, classmethod, property,
    functools.partial, weakref.ref,
)  # fmt: skip
Parts = list[tuple[str, Any]]  # where, as it is written behind the name of the whole; what


class _Plain:
    """A class of nothing but attributes, to tell others like it by their size."""


def parts(value: Any) -> Parts | None:
    """Take a value apart; None where it may hold something that cannot be seen from here."""
    kind = type(value)
    if isinstance(value, list | tuple | deque):
        return [*((f"[{index}]", one) for index, one in enumerate(value)), *_attributes(value)]
    if isinstance(value, dict):
        keys: Parts = [("'s keys", key) for key in value]
        members: Parts = [(f"[{key!r}]" if type(key) in ATOMS else "[...]", one) for key, one in value.items()]
        return [*keys, *members, *_attributes(value)]
    if isinstance(value, types.FunctionType):
        return [("", value.__code__), *(("", one) for one in held_by(value))]
    if isinstance(value, types.MethodType):
        return [("", value.__func__), ("", value.__self__)]
    if isinstance(value, staticmethod | classmethod):
        return [("", value.__func__)]
    if isinstance(value, property):
        return [("", value.fget), ("", value.fset), ("", value.fdel)]
    if isinstance(value, functools.partial):
        return [("", value.func), ("", value.args), ("", value.keywords)]
    if isinstance(value, weakref.ref):
        return [("", value())]
    if kind.__basicsize__ == _Plain.__basicsize__ and kind.__dictoffset__:
        return list(_attributes(value))
    return None


def held_by(function: types.FunctionType) -> list[Any]:
    """List what a function carries along: defaults, attributes, variables from around it."""
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # a name that nobody has given a value yet
            cells.append(None)
    named = [*sorted((function.__kwdefaults__ or {}).items()), *sorted(vars(function).items())]
    return [*(function.__defaults__ or ()), *(part for pair in named for part in pair), *cells]


def class_parts(kind: type) -> Parts:
    """Take a class apart."""
    members: Parts = [(f".{name}", one) for name, one in vars(kind).items() if name not in _OF_EVERY_CLASS]
    if kind.__module__ == _PARAMETRIZE:
        members = [(name, None) for name, _ in members]
    return [("", kind.__bases__), *members]


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    if type(value).__dictoffset__:
        for name, one in object.__getattribute__(value, "__dict__").items():
            yield f".{name}", one


def is_stateless(value: object) -> bool:
    """Tell whether a value cannot change: an atom, a tensor, a class, or a function that holds only such."""
    if isinstance(value, types.FunctionType):
        return all(is_stateless(held) for held in held_by(value))
    if isinstance(value, types.BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, types.ModuleType | type)
    return type(value) in ATOMS or isinstance(value, torch.Tensor | type | types.ModuleType)
