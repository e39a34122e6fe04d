"""Which rows are padded to one length, on which side, and what are they without it?

Covers: collate functions that pad, whatever the inputs; rows of tokens that were padded before.
Does not cover: rows of real numbers that were padded before; pictures padded along two axes.

Legend: N rows of a batch, T positions of its widest row.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diagnoser.training.batches import tensors
from diagnoser.training.layout import Layout
from diagnoser.training.probes.bench import UnanswerableError, spread_rows
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

ROWS = 512  # whose lengths are taken; the share of padding is then known to some 2 %
COMPARED = 4  # rows whose answers are compared, those with the most padding
FIRST_ROWS = 32  # of a batch are read alone
BATCHES_TRIED = 2  # before rows count as equally long
SECONDS = 2.0  # to read rows one by one
TOKENS, PICTURES = 2, 4  # axes of a batch: (N, T) and (N, C, H, W)
FEWEST_PADDED = 0.1  # of the rows end in at least two equal tokens that stand nowhere else ...
FEWEST_LENGTHS = 3  # ... in runs of so many lengths: a last token alone may be the end of a sentence

Side = Literal["right", "left"]


@dataclass
class Padded:
    """Rows of different lengths, and how they are filled."""

    side: Side
    batch: Any  # with padded rows, on the device
    width: int  # of that batch
    lengths: Tensor  # (N,) of the rows of that batch
    alone: dict[int, Any]  # rows of that batch, each as a batch of its own without padding
    all_lengths: list[int]
    widths: list[int]  # of the batch in which each stood
    batch_size: int
    by_data: bool
    token: int | None = None
    declared: bool = True
    changes: list[tuple[float, float]] = field(default_factory=list)  # typical and largest, one per initialisation


def find(workload: Workload, model: nn.Module) -> Padded | None:
    """Tell whether rows are padded, by reading them alone, or by a token that only fills their end."""
    layout = workload.layout
    if layout is None:
        return None
    with forked(0):
        first = layout.first_input(workload.train.head(1))
    if first.ndim < 2 or first.ndim >= PICTURES:
        return None
    found = None if workload.train.in_memory else _by_batch(workload, layout)
    tokens = not first.is_floating_point() and first.dtype != torch.bool and first.ndim == TOKENS
    return _by_tokens(workload, layout, model) if found is None and tokens else found


def _by_batch(workload: Workload, layout: Layout) -> Padded | None:
    """Compare rows in their batch with the same rows read alone: the collate function pads what it makes longer."""
    split, started = workload.train, time.perf_counter()
    seen: list[tuple[int, int]] = []
    first: Padded | None = None
    place: tuple[int, int] | None = None
    for tried, chunk in enumerate(split.order(seed=0, epoch=0)):
        rows = [int(row) for row in chunk]
        few = rows[:FIRST_ROWS]
        with forked(0):
            batch, lone = split.take(few), [split.take([row]) for row in few]
        if place is None:
            place = _longer(layout, batch, lone, rows=len(few))
            if place is None:
                if tried + 1 >= BATCHES_TRIED:
                    return None
                continue
            first = _first(workload, layout, batch, lone, place)
        number, axis = place
        with forked(0):
            whole = batch if len(few) == len(rows) else split.take(rows)
        width = _input(layout, whole, number).shape[axis]
        seen += [(_input(layout, one, number).shape[axis], width) for one in lone]
        if len(seen) >= ROWS or time.perf_counter() - started > SECONDS:
            break
    if first is not None:
        first.all_lengths, first.widths = [length for length, _ in seen], [width for _, width in seen]
    return first


def _first(workload: Workload, layout: Layout, batch: Any, lone: Sequence[Any], place: tuple[int, int]) -> Padded:
    number, axis = place
    given = _input(layout, batch, number)
    singles = [_input(layout, one, number) for one in lone]
    lengths, width = [single.shape[axis] for single in singles], given.shape[axis]
    sides = {_side(given[row], single[0], axis - 1) for row, single in enumerate(singles)} - {"both"}
    if len(sides) != 1:
        raise UnanswerableError("where the padding stands could not be told")
    side: Side = "right" if sides == {"right"} else "left"
    filled = torch.cat([_filling(given[row], n, axis - 1, side).reshape(-1) for row, n in enumerate(lengths)])
    one_token = not given.is_floating_point() and bool((filled == filled[0]).all())
    return Padded(
        side=side,
        batch=workload.to_device(batch),
        width=width,
        lengths=torch.tensor(lengths),
        alone={row: workload.to_device(lone[row]) for row in _shortest(lengths, width)},
        all_lengths=[],
        widths=[],
        batch_size=workload.train.batch_size,
        by_data=False,
        token=int(filled[0]) if one_token else None,
    )


def _longer(layout: Layout, batch: Any, lone: Sequence[Any], *, rows: int) -> tuple[int, int] | None:
    """Give number and axis of the first input that is longer in the batch than in a row read alone."""
    together = tensors(layout.inputs(batch))
    for one in lone:
        singles = tensors(layout.inputs(one))
        if len(singles) != len(together):
            return None
        for number, (single, whole) in enumerate(zip(singles, together, strict=True)):
            if single.ndim != whole.ndim or not whole.ndim or len(whole) != rows or len(single) != 1:
                continue
            axes = [axis for axis in range(1, whole.ndim) if single.shape[axis] != whole.shape[axis]]
            if len(axes) == 1 and single.shape[axes[0]] < whole.shape[axes[0]]:
                return number, axes[0]
    return None


def _side(padded: Tensor, alone: Tensor, axis: int) -> Literal["right", "left", "both"]:
    """Tell on which side a row was filled; both where it was not, or where that cannot be seen."""
    length, width = alone.shape[axis], padded.shape[axis]
    right = torch.equal(padded.narrow(axis, 0, length), alone)
    left = torch.equal(padded.narrow(axis, width - length, length), alone)
    if right and left:
        return "both"
    if not (right or left):
        raise UnanswerableError("a row read alone is no part of the row in its batch")
    return "right" if right else "left"


def _by_tokens(workload: Workload, layout: Layout, model: nn.Module) -> Padded | None:
    """Find a token that stands at the end (or the beginning) of rows, in runs of several lengths, and nowhere else."""
    tokens = layout.first_input(spread_rows(workload, ROWS))
    width = tokens.shape[1]
    sides: tuple[Side, ...] = ("right", "left")
    for side in sides:
        fills = tokens == tokens[:, -1 if side == "right" else 0].mode().values
        run = (fills.flip(1) if side == "right" else fills).long().cumprod(dim=1).sum(dim=1)  # (N,)
        all_lengths = (width - run).cpu()
        nowhere_else = int(fills.sum()) == int(run.sum())
        enough = float((run >= 2).float().mean()) >= FEWEST_PADDED and len(all_lengths.unique()) >= FEWEST_LENGTHS
        if not (nowhere_else and enough):
            continue
        batch, token = spread_rows(workload, FIRST_ROWS), int(tokens[fills][0])
        given = layout.first_input(batch)
        lengths = (width - (given == token).sum(dim=1)).cpu()
        chosen = [row for row in _shortest(lengths.tolist(), width) if lengths[row] > 0]
        return Padded(
            side=side,
            batch=batch,
            width=width,
            lengths=lengths,
            alone={row: _cut(layout, batch, row, length=int(lengths[row]), width=width, side=side) for row in chosen},
            all_lengths=all_lengths.tolist(),
            widths=[width] * len(all_lengths),
            batch_size=workload.train.batch_size,
            by_data=True,
            token=token,
            declared=any(isinstance(one, nn.Embedding) and one.padding_idx == token for one in model.modules()),
        )
    return None


def _cut(layout: Layout, batch: Any, row: int, *, length: int, width: int, side: Side) -> Any:
    """Take one row without its padding: every input that has a value for each position is cut to the row's length."""

    def cut(tensor: Tensor) -> Tensor:
        own = tensor[row : row + 1]
        if own.ndim < 2 or own.shape[1] != width:
            return own
        return own[:, :length] if side == "right" else own[:, width - length :]

    shorter, target = layout.map_inputs(batch, cut), layout.target(batch)
    if layout.target_at is None or target is None or len(target) != len(tensors(layout.inputs(batch))[0]):
        return shorter
    return layout.with_target(shorter, cut(target))  # a model that answers with its loss is given it too


def _shortest(lengths: Sequence[int], width: int) -> list[int]:
    """Choose the rows with the most padding, as far as they have any."""
    order = sorted((length, row) for row, length in enumerate(lengths) if length < width)
    return [row for _, row in order[:COMPARED]]


def _input(layout: Layout, batch: Any, number: int) -> Tensor:
    return tensors(layout.inputs(batch))[number]


def _filling(row: Tensor, length: int, axis: int, side: Side) -> Tensor:
    width = row.shape[axis]
    return row.narrow(axis, length if side == "right" else 0, width - length)
