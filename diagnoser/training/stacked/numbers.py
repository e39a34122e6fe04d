"""How does an operation over all trials take a number: one for all of them, or a column with one for each?

Shapes: N trials.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Number = float | Tensor
"""A float where the trials agree (no operand more for the kernel to read), else a tensor (N, 1)."""


def number(values: Sequence[float], like: Tensor) -> Number:
    """Make a number of one value for each trial, in the dtype and on the device of `like`."""
    first = values[0]
    if all(value == first for value in values):
        return first
    column = torch.tensor(values, dtype=like.dtype).unsqueeze(1)  # (N, 1)
    if like.is_cuda:
        column = column.pin_memory()  # from other memory the copy would wait for all kernels before it
    return column.to(like.device, non_blocking=True)


def add_(target: Tensor, other: Tensor, by: Number, *, times: float = 1.0) -> None:
    """Add `by * times * other` to the target."""
    if isinstance(by, Tensor):
        target.addcmul_(other, by, value=times)
    else:
        target.add_(other, alpha=by * times)


def add_square_(target: Tensor, other: Tensor, by: Number, *, scratch: Tensor) -> None:
    """Add `by * other * other` to the target, multiplied in this order: the square alone overflows earlier."""
    if isinstance(by, Tensor):
        torch.mul(other, by, out=scratch)
        target.addcmul_(scratch, other)
    else:
        target.addcmul_(other, other, value=by)
