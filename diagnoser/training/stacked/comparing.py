"""Is this part of one model the same as that part of another, parameters' and buffers' values aside?"""

import types
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from diagnoser.training.stacked.parts import ATOMS, STRUCTURES, Parts, class_parts, is_stateless, parts
from diagnoser.training.stacked.unstackable import Unstackable

_FACTS = ("shape", "dtype", "device", "requires_grad")
# Besides the hooks of state_dict, which no training calls.
_HOOKS = frozenset(name for name in vars(nn.Module()) if "hooks" in name and "state_dict" not in name)
_NOT_RUN = frozenset(name for name in vars(nn.Module()) if "state_dict" in name)


class Comparison:
    """Compares two models; whatever differs, or cannot be compared, raises Unstackable under its name."""

    def __init__(self, one: Mapping[int, tuple[str, Tensor]], two: Mapping[int, tuple[str, Tensor]]) -> None:
        """Get the parameters and buffers of both, by identity."""
        self._one, self._two = one, two
        self._memory = {tensor.untyped_storage().data_ptr(): name for name, tensor in one.values() if tensor.numel()}
        self._partner: dict[int, int] = {}  # modules, parameters and buffers: who stands for whom
        self._partner_back: dict[int, int] = {}
        self._paired: set[int] = set()
        # Containers, objects and classes may hold one another. They are kept: an id is free once its owner is gone.
        self._seen: dict[tuple[int, int, bool], tuple[Any, Any]] = {}

    def modules(self, one: nn.Module, two: nn.Module, *, at: str = "") -> None:
        """Compare two modules and all below them."""
        if not self._pair(one, two, at) or one is two:
            return
        self._classes(type(one), type(two), at or "the model")
        ours, theirs = vars(one), vars(two)
        if ours.keys() != theirs.keys():
            some = min(ours.keys() ^ theirs.keys())
            raise Unstackable(f"{_join(at, some)} exists in some trials only")
        for name, value in ours.items():
            other, kind = theirs[name], type(value)
            if kind in ATOMS:
                if kind is not type(other) or not _equal(value, other):
                    _differs(_join(at, name))
            elif name in {"_parameters", "_buffers", "_modules"}:
                self._members(value, other, at)
            elif name in _HOOKS:
                if value or other:
                    self._hooks(list(value.values()), list(other.values()), at or "the model")
            elif name not in _NOT_RUN:
                self._values(value, other, _join(at, name))

    def _pair(self, one: object, two: object, at: str) -> bool:
        """Note that two stand for one another, both ways; tell whether that is new."""
        there, back = self._partner.setdefault(id(one), id(two)), self._partner_back.setdefault(id(two), id(one))
        if (there, back) != (id(two), id(one)):
            raise Unstackable(f"{at or 'the model'} is shared with another part of the model in some trials only")
        before = len(self._paired)
        self._paired.add(id(one))
        return len(self._paired) > before

    def _members(self, ours: Mapping[str, Any], theirs: Mapping[str, Any], at: str) -> None:
        if list(ours) != list(theirs):
            some = next(iter(ours.keys() ^ theirs.keys()), next(iter(ours)))
            raise Unstackable(f"{_join(at, some)} exists in some trials only, or in another place")
        for name, one in ours.items():
            two, here = theirs[name], _join(at, name)
            if (one is None) != (two is None):
                _differs(here)
            elif isinstance(one, nn.Module):
                self.modules(one, two, at=here)
            elif one is not None and id(one) in self._one and id(two) in self._two:
                for fact in _FACTS:
                    if getattr(one, fact) != getattr(two, fact):
                        raise Unstackable(f"{here} differs between trials in {fact}")
                self._pair(one, two, here)
            elif one is not None:
                self._tensors(one, two, here)

    def _hooks(self, ours: Sequence[Any], theirs: Sequence[Any], at: str) -> None:
        if len(ours) != len(theirs):
            raise Unstackable(f"{at} has a hook in some trials only")
        for one, two in zip(ours, theirs, strict=True):  # for some kinds of hooks flags, by their numbers
            if not isinstance(one, bool | types.FunctionType) or not is_stateless(one):
                raise Unstackable(f"{at} has a hook with a state of its own")
            self._values(one, two, f"a hook of {at}")

    def _values(self, one: Any, two: Any, at: str, *, held: bool = False) -> None:
        """Compare any two values; `held` are those of a function or weak reference, which no deep copy replaces."""
        if isinstance(one, Tensor) and isinstance(two, Tensor):
            self._tensors(one, two, at)
            return
        if isinstance(one, nn.Module) and isinstance(two, nn.Module):
            if held:
                raise Unstackable(f"{at} is a function that holds on to a part of the model")
            self.modules(one, two, at=at)
            return
        if one is two:
            return
        if isinstance(one, type) and isinstance(two, type):
            self._classes(one, two, at)
            return
        self._classes(type(one), type(two), at)
        if type(one) in ATOMS:
            if not _equal(one, two):
                _differs(at)
        elif (id(one), id(two), held) not in self._seen:
            self._seen[id(one), id(two), held] = (one, two)
            self._composed(one, two, at, held=held)

    def _composed(self, one: Any, two: Any, at: str, *, held: bool) -> None:
        """Compare by `==` where a class of the user's defines it, else part by part."""
        if isinstance(one, np.ndarray | np.generic):
            if one.dtype != two.dtype or not np.array_equal(one, two, equal_nan=one.dtype.kind in "fc"):
                _differs(at)
            return
        ours, theirs = parts(one), parts(two)
        if not isinstance(one, STRUCTURES) and _defines_equality(type(one)):
            try:
                alike = one == two
            except Exception:  # noqa: BLE001  # the user's own code; whether they are equal is then not known
                alike = None
            if alike is True:
                return
            if alike is False:
                _differs(at)
        if ours is None or theirs is None:
            _differs(at)
        self._parts(ours, theirs, at, held=held or isinstance(one, types.FunctionType | weakref.ref))

    def _parts(self, ours: Parts, theirs: Parts, at: str, *, held: bool) -> None:
        if [where for where, _ in ours] != [where for where, _ in theirs]:
            _differs(at)
        for (where, one), (_, two) in zip(ours, theirs, strict=True):
            self._values(one, two, at + where, held=held)

    def _tensors(self, one: Tensor, two: Tensor, at: str) -> None:
        """Compare tensors that are no parameters and no buffers: a stack knows only the first model's."""
        for tensor, register in ((one, self._one), (two, self._two)):
            if id(tensor) in register:
                raise Unstackable(f"{register[id(tensor)][0]} is also kept in {at}, where a stack cannot replace it")
        try:
            alias = self._memory.get(one.untyped_storage().data_ptr()) if one.numel() else None
            same = one is two or (
                all(getattr(one, fact) == getattr(two, fact) for fact in _FACTS) and torch.equal(one, two)
            )
        except (RuntimeError, NotImplementedError) as error:  # sparse, quantised, without storage
            raise Unstackable(f"{at} is a kind of tensor that cannot be compared") from error
        if alias is not None:
            raise Unstackable(f"{at} shares the memory of {alias}, and a stack cannot replace it")
        if not same:
            _differs(at)
        if one.requires_grad:
            raise Unstackable(f"{at} has a gradient and is no parameter of the model")

    def _classes(self, one: type, two: type, at: str) -> None:
        """Compare classes: a class written inside a function is made anew by each call."""
        if one is two or (id(one), id(two), True) in self._seen:
            return
        self._seen[id(one), id(two), True] = (one, two)
        if (one.__module__, one.__qualname__, type(one)) != (two.__module__, two.__qualname__, type(two)):
            raise Unstackable(f"{at} is of another type in some trials")
        self._parts(class_parts(one), class_parts(two), one.__qualname__, held=True)


def _defines_equality(kind: type) -> bool:
    return kind.__eq__ is not object.__eq__  # type: ignore[comparison-overlap]  # a slot, and seldom that of object


def _equal(one: Any, two: Any) -> bool:
    return bool(one == two or (one != one and two != two))  # noqa: PLR0124  # NaN


def _differs(at: str) -> NoReturn:
    raise Unstackable(f"{at} differs between trials")


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
