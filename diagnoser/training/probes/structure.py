"""How is a model built: what is registered, what is shared between two builds, what is random, what has a gradient?"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.probes.kinds import BATCH_NORMS, DROPOUTS, EMBEDDINGS, NORMS
from diagnoser.training.probes.layers import Pass

DEEPEST = 3  # lists in dicts in lists


def shares_storage(one: nn.Module, other: nn.Module) -> bool:
    """Tell whether two builds hold a parameter in common: training one would change the other."""
    if one is other:
        return True
    held = {weight.data_ptr() for weight in one.parameters() if weight.numel()}
    return any(weight.data_ptr() in held for weight in other.parameters() if weight.numel())


def are_equal(one: nn.Module, other: nn.Module) -> bool:
    """Tell whether two builds under different seeds have the same parameters, all of them."""
    ours, theirs = list(one.parameters()), list(other.parameters())
    return bool(ours) and len(ours) == len(theirs) and all(_same(a, b) for a, b in zip(ours, theirs, strict=True))


def frozen_random_share(one: nn.Module, other: nn.Module) -> float:
    """Give the share of frozen parameters that lie in tensors which differ between two builds under different seeds."""
    theirs = dict(other.named_parameters())
    frozen = {name: weight for name, weight in one.named_parameters() if not weight.requires_grad}
    total = sum(weight.numel() for weight in frozen.values())
    differ = sum(w.numel() for name, w in frozen.items() if name in theirs and not _same(w, theirs[name]))
    return differ / total if total else 0.0


def random_share_outside_head(one: nn.Module, other: nn.Module, head: set[str]) -> float | None:
    """Give the share of parameters outside the last weight layers whose tensors two seeds build differently.

    Tensors of one or two values (constants, an identity) are written by hand, neither drawn nor learned: left out.
    """
    theirs = dict(other.named_parameters())
    outside = {
        name: weight
        for name, weight in one.named_parameters()
        if name.rpartition(".")[0] not in head and not _is_written_by_hand(weight)
    }
    total = sum(weight.numel() for weight in outside.values())
    differ = sum(w.numel() for name, w in outside.items() if name in theirs and not _same(w, theirs[name]))
    return differ / total if total else None


def _is_written_by_hand(weight: Tensor) -> bool:
    return not weight.numel() or bool(((weight == weight.min()) | (weight == weight.max())).all())


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def unregistered(model: nn.Module) -> dict[str, list[Tensor]]:
    """List attributes that hold trainable parameters outside `named_parameters`, with those parameters."""
    known = {id(weight) for weight in model.parameters()} | {id(buffer) for buffer in model.buffers()}
    found: dict[str, list[Tensor]] = {}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name in ("_parameters", "_buffers", "_modules") or name.endswith("_hooks"):
                continue
            outside = [
                tensor
                for tensor in _held(value, DEEPEST)
                if tensor.requires_grad and tensor.is_leaf and id(tensor) not in known
            ]
            if outside:
                found[f"{path}.{name}" if path else name] = outside
    return found


def _held(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif depth and isinstance(value, Mapping):
        for item in value.values():
            yield from _held(item, depth - 1)
    elif depth and isinstance(value, list | tuple | set):
        for item in value:
            yield from _held(item, depth - 1)


def in_eval_mode(model: nn.Module) -> tuple[str, ...]:
    """List the Dropout and BatchNorm modules that are in eval mode."""
    return tuple(
        path
        for path, module in model.named_modules()
        if not module.training and (isinstance(module, BATCH_NORMS) or (isinstance(module, DROPOUTS) and module.p > 0))
    )


def grad_free_before(model: nn.Module, seen: Pass) -> str | None:
    """Name the first module that has a gradient when no trainable layer before it has one; "the loss" when none has."""
    if seen.loss_has_graph is None or not any(weight.requires_grad for weight in model.parameters()):
        return None
    if not seen.loss_has_graph:
        return "the loss"
    modules = dict(model.named_modules())
    without = set(seen.without_gradient)
    cut = False
    for path in seen.trace.layers:  # in forward order
        own = [
            f"{path}.{name}" if path else name
            for name, weight in modules[path].named_parameters(recurse=False)
            if weight.requires_grad
        ]
        if not own:
            continue
        if any(name not in without for name in own):
            return path if cut else None
        cut = True
    return None


def starts_with_normalisation(model: nn.Module, seen: Pass) -> bool:
    """Tell whether the first layer that changes values is a normalisation."""
    modules = dict(model.named_modules())
    kinds = (modules[path] for path in seen.trace.layers if not isinstance(modules[path], DROPOUTS))
    first = next(kinds, None)
    return isinstance(first, NORMS) and not isinstance(first, EMBEDDINGS)
