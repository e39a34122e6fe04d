"""Do the model and the loss leave padding out?

What is changed is the amount of padding, never its content: a model may know its padding by the token, and a batch is
padded more or less by its neighbours. A row read alone must get the answer that it gets beside longer ones.

Legend: N rows of a batch, T positions of its widest row.
"""

import math
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import PaddingProfile
from diagnoser.training.probes.bench import UnanswerableError, answer, fresh
from diagnoser.training.probes.padded_rows import Padded, Side
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload


class Counted(NamedTuple):
    """What the loss makes of padding."""

    share: float | None = None  # of the positions that it looks at; None: the outputs have no positions
    token: int | None = None  # the one target at padded positions
    is_real_too: bool = False


def change(workload: Workload, model: nn.Module, padded: Padded, *, alone: bool) -> tuple[float, float]:
    """Give the typical and the largest change of an answer when its row is read without padding, beside the spread.

    Only where an answer depends on its row `alone`: neither on other rows nor on chance.
    """
    if not alone:
        raise UnanswerableError("in eval mode answers depend on other rows or on chance")
    if any(weight.dtype in (torch.bfloat16, torch.float16) for weight in model.parameters()):
        raise UnanswerableError(
            "the model computes in half precision, whose rounding is as large as what is looked for"
        )
    whole = answer(workload, model, padded.batch)
    pairs = []
    for row, batch in padded.alone.items():
        single = answer(workload, model, batch)
        axis = _time_axis(whole, single, rows=len(padded.lengths))
        pairs.append((_positions(whole[row], single[0], axis, padded.side), axis))
    if not pairs:
        raise UnanswerableError("no padded row was found in the batch")
    values = [values for values, _ in pairs]
    by_row = all(axis is None for _, axis in pairs)
    known = whole.flatten(1) if by_row else torch.cat([one for one, _ in values])
    spread = known.std(dim=0, unbiased=False).square().mean().sqrt().item()
    moved = torch.cat([(one - other).square().mean(dim=1).sqrt() for one, other in values])
    if not (math.isfinite(spread) and spread > 0 and bool(moved.isfinite().all())):
        raise UnanswerableError("the outputs are all equal or not finite")
    return moved.median().item() / spread, moved.max().item() / spread


def profile(padded: Padded, loss: Counted | None) -> PaddingProfile:
    """Sum up what was seen."""
    total = sum(padded.widths)
    by_length = sorted(padded.all_lengths)
    size = max(1, padded.batch_size)
    chunks = [by_length[start : start + size] for start in range(0, len(by_length), size)]
    loss = loss or Counted()
    return PaddingProfile(
        made_by="data" if padded.by_data else "batch",
        side=padded.side,
        token=padded.token,
        declared=padded.declared,
        rows=len(padded.all_lengths),
        width=max(padded.widths),
        typical_length=float(median(padded.all_lengths)),
        share=1 - sum(padded.all_lengths) / total,
        share_by_length=1 - sum(by_length) / sum(max(chunk) * len(chunk) for chunk in chunks),
        output_change=median(typical for typical, _ in padded.changes) if padded.changes else None,
        largest_change=median(largest for _, largest in padded.changes) if padded.changes else None,
        counted_share=loss.share,
        target_token=loss.token,
        target_is_real_too=loss.is_real_too,
    )


def _time_axis(whole: Tensor, single: Tensor, *, rows: int) -> int | None:
    """Give the axis of the positions in the outputs of a batch; None where there is one answer for a row."""
    if whole.ndim != single.ndim or not whole.ndim or len(whole) != rows or len(single) != 1:
        raise UnanswerableError("the output has no axis of rows")
    axes = [axis for axis in range(1, whole.ndim) if whole.shape[axis] != single.shape[axis]]
    if len(axes) > 1:
        raise UnanswerableError("the output changes its shape along more than one axis")
    return axes[0] if axes else None


def _positions(padded: Tensor, alone: Tensor, axis: int | None, side: Side) -> tuple[Tensor, Tensor]:
    """Give the answers of one row at its real positions, with and without padding: (positions, values) both."""
    if axis is None:
        return padded.reshape(1, -1), alone.reshape(1, -1)
    own = axis - 1
    length, width = alone.shape[own], padded.shape[own]
    kept = padded.narrow(own, 0 if side == "right" else width - length, length)
    return kept.movedim(own, 0).reshape(length, -1), alone.movedim(own, 0).reshape(length, -1)


def counted(workload: Workload, model: nn.Module, padded: Padded) -> Counted:
    """Give the share of padding among the positions that the loss looks at, and the target there.

    The loss looks at a position when its gradient there is not zero.
    """
    if not padded.alone or (workload.step is None and workload.loss_function is None):
        return Counted()
    with forked(0):
        output = workload.output(model, fresh(padded.batch))
    if output is None or not output.is_floating_point():
        return Counted()
    axis = _axis_by_width(output, padded) if padded.by_data else _axis_by_row(workload, model, output, padded)
    if axis is None:
        return Counted()
    output = output.detach().clone().requires_grad_()
    with forked(0):
        loss = workload.loss_of_answers(output, fresh(padded.batch))
    (gradient,) = torch.autograd.grad(loss, output)
    looked_at = (gradient != 0).movedim(axis, 1).flatten(2).any(dim=2).cpu()  # (N, T)
    filled = _mask(padded, looked_at.shape[1], longer=1)  # where a row ends, padding may be meant: as its end
    if not looked_at.any():
        return Counted()
    share = (looked_at & filled).sum() / looked_at.sum()
    return Counted(float(share), *_target(workload, padded, filled, ~_mask(padded, filled.shape[1], longer=-1)))


def _axis_by_width(output: Tensor, padded: Padded) -> int | None:
    axes = [axis for axis in range(1, output.ndim) if output.shape[axis] == padded.width]
    return axes[0] if len(axes) == 1 and len(output) == len(padded.lengths) else None


def _axis_by_row(workload: Workload, model: nn.Module, output: Tensor, padded: Padded) -> int | None:
    """Find the axis along which the outputs are as long as the rows; they may follow another input."""
    found: set[int | None] = set()
    for row, lone in padded.alone.items():
        with forked(0):
            single = workload.output(model, fresh(lone))
        assert single is not None
        axis = _time_axis(output, single, rows=len(padded.lengths))
        follows = axis is not None and single.shape[axis] == padded.lengths[row]
        found.add(axis if follows and axis is not None and output.shape[axis] == padded.width else None)
    return found.pop() if len(found) == 1 else None


def _mask(padded: Padded, width: int, *, longer: int) -> Tensor:
    """Mark the padding of a row that is `longer` than it is by so many positions: (N, T)."""
    place = torch.arange(width)[None]
    lengths = padded.lengths[:, None] + longer
    return place >= lengths if padded.side == "right" else place < width - lengths


def _target(workload: Workload, padded: Padded, filled: Tensor, real: Tensor) -> tuple[int | None, bool]:
    assert workload.layout is not None
    target = workload.layout.target(padded.batch)
    if target is None or target.is_floating_point() or target.shape != filled.shape:
        return None, False
    values = target.cpu()
    there = values[filled].unique()
    if len(there) != 1:
        return None, False
    return int(there[0]), bool((values[real] == there[0]).any())
