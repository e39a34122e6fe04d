"""What is in the data: scale, order, repeats, and what the two splits share?

Legend: N rows, F features (an input row, flat), H W C height, width and channels of a picture.
"""

import time
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Literal, cast

import numpy as np

from diagnoser.evidence.preflight import DataProfile, SplitProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes import reads, targets, workers
from diagnoser.training.probes.rows import Array, Hashes, Rows, hashes, read, repeated_share, target_of
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

NAMED = 10  # rows or columns that are named, of those with NaN or infinity
PICTURE_SIDE = 8  # a row of (8, 8) and more is a picture, below it is a short sequence
PICTURE_CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency
MANY_VALUES = 100  # distinct targets, from which a rank correlation can prove a leak
CORRELATED_ROWS = 5_000
DISTINCT_INDICES = 512
MOST_COLUMNS = 256  # of a table, whose values are counted
FIRST_COLUMNS = 64  # permuted at first: enough of them to tell rows of real numbers apart
ORDER_ROWS = 2_048  # rows of an epoch whose order is compared with that of the next
DELIVERED_ROWS = 20_000
DEFAULT_SECONDS = 30.0

InputKind = Literal["table", "image", "sequence", "tokens", "other"]


def measure(workload: Workload, probe: Probe) -> DataProfile:
    """Read both splits and describe them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of nothing but NaN has no mean, and that is told
        return _profile(workload, seed=probe.seed, seconds=probe.max_seconds or DEFAULT_SECONDS)


def _profile(workload: Workload, *, seed: int, seconds: float) -> DataProfile:
    train = read(workload, workload.train, seed=seed, seconds=seconds / 3)
    validation = read(workload, workload.validation, seed=seed, seconds=seconds / 6)
    kind = input_kind(train.first, workload.task)
    target_kind = targets.kind_of(workload.task, train.target)
    columns = train.first.reshape(train.read, -1).astype(np.float64)  # (N, F)
    same_columns = columns.shape[1] == validation.first.reshape(validation.read, -1).shape[1]
    shift, ratio = _shift(columns, validation.first) if same_columns else (float("nan"), float("nan"))
    spread = _std(_finite(columns), axis=0)
    both = hashes((*train.inputs, train.target))
    tokens = targets.token_shares(train.inputs, train.target) if workload.task is Task.LANGUAGE_MODEL else None
    leak = _leak(columns, train.target) if kind == "table" and target_kind == "real" else None
    channels_last = _channels_last(train.first)
    overlap, control = _overlap(train, validation, both, seed=seed)
    return DataProfile(
        test_rows=0 if workload.test is None else workload.test.rows,
        workers=None if workload.train.in_memory else workload.train.workers,
        workers_repeat=workers.repeat(workload.train),
        input_kind=kind,
        input_dtype=str(train.first.dtype),
        input_shape=train.first.shape[1:],
        train=_split_profile(train),
        validation=_split_profile(validation),
        targets=targets.profile(target_kind, train, validation),
        constant_features=int((spread == 0).sum()),
        column_std_ratio=_std_ratio(spread) if kind == "table" else None,
        fraction_one_hot=_one_hot(columns, spread),
        on_grid_255_squared=_divided_twice(columns),
        validation_shift=shift,
        validation_std_ratio=ratio,
        duplicate_share=repeated_share(both),
        duplicate_share_by_chance=_repeats_by_chance(train, seed=seed),
        distinct_of_512=_distinct(both, seed=seed),
        overlap_share=overlap,
        overlap_control=control,
        distinct_in_a_column=_distinct_in_a_column(train.first, both) if kind == "table" else None,
        contradiction_share=_contradictions(train, both),
        batch_label_spread=_label_spread(workload, train, target_kind, seed=seed, seconds=seconds / 6),
        same_order_every_epoch=_same_order(workload, seed=seed),
        declared_shuffle=workload.train.shuffle,
        reads_differ=reads.reads_differ(workload.validation),
        training_rows_drawn=reads.reads_differ(workload.train),
        training_changes=reads.rows_change(workload.train),
        shifted_targets_share=tokens[0] if tokens else None,
        unshifted_targets_share=tokens[1] if tokens else None,
        twice_shifted_targets_share=tokens[2] if tokens else None,
        leaking_column=leak[0] if leak else None,
        leaking_correlation=leak[1] if leak else None,
        channel_axis_last=channels_last,
        channel_correlation_ratio=_channel_correlation(train.first) if channels_last else None,
    )


def input_kind(inputs: Array, task: Task) -> InputKind:
    """Name the kind of input by the shape and type of a row."""
    row = inputs.shape[1:]
    if task is Task.LANGUAGE_MODEL or (inputs.dtype.kind == "i" and len(row) == 1):
        return "tokens"
    if len(row) == 3:
        return "image"
    if len(row) == 2:
        return "image" if row[0] == row[1] and row[0] >= PICTURE_SIDE else "sequence"
    return "table" if len(row) <= 1 else "other"


def _split_profile(rows: Rows) -> SplitProfile:
    flat = rows.first.reshape(rows.read, -1)
    finite = np.isfinite(flat)
    values = flat[finite] if not finite.all() else flat
    empty = not values.size
    bad_rows = rows.indices[~finite.all(axis=1)]
    return SplitProfile(
        rows=rows.total,
        rows_read=rows.read,
        mean=float("nan") if empty else float(values.mean(dtype=np.float64)),
        std=float("nan") if empty else float(values.std(dtype=np.float64)),
        minimum=float("nan") if empty else float(values.min()),
        maximum=float("nan") if empty else float(values.max()),
        non_finite_values=int(finite.size - finite.sum()),
        non_finite_rows=tuple(int(row) for row in bad_rows[:NAMED]),
        non_finite_columns=tuple(int(column) for column in np.flatnonzero(~finite.all(axis=0))[:NAMED]),
    )


def _std_ratio(spread: Array) -> float | None:
    varying = spread[spread > 0]
    return float(np.percentile(varying, 95) / np.percentile(varying, 5)) if len(varying) else None


def _one_hot(columns: Array, spread: Array) -> float:
    """Return the share of varying columns that hold only 0 and 1."""
    varying = spread > 0
    if not varying.any():
        return 0.0
    only = ((columns == 0) | (columns == 1)).all(axis=0)
    return float((only & varying).sum() / varying.sum())


def _divided_twice(columns: Array) -> bool:
    """Tell whether all values are k / 255² with k from 0 to 255: pictures of bytes that were divided by 255 twice."""
    levels = columns * 255.0**2
    if not (levels.min() >= 0 and 1 < levels.max() <= 255.5):  # most data end here, before the costly question
        return False
    return bool((np.abs(levels - np.round(levels)) < 1e-2).all())  # float32 keeps 255 levels to 1e-5


def _shift(train: Array, validation_inputs: Array) -> tuple[float, float]:
    """Compare the two splits: the median shift of a feature's mean, in training stds, and the ratio of overall stds."""
    validation = validation_inputs.reshape(len(validation_inputs), -1).astype(np.float64)
    a, b = _finite(train), _finite(validation)
    varying = _std(a, axis=0) > 0
    if not varying.any():
        return float("nan"), float("nan")
    some = a[:, varying]
    shift = np.nanmedian(np.abs(_mean(b[:, varying], axis=0) - _mean(some, axis=0)) / _std(some, axis=0))
    return float(shift), float(_std(b) / _std(a))


def _finite(values: Array) -> Array:
    """The values, with NaN for infinity."""
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.nan)


def _mean(values: Array, *, axis: int | None = None) -> Array:
    """The mean of what is not NaN. NumPy's way round NaN gives the same bits at five times the cost."""
    return np.asarray((np.nanmean if np.isnan(values).any() else np.mean)(values, axis=axis))


def _std(values: Array, *, axis: int | None = None) -> Array:
    """The standard deviation of what is not NaN."""
    return np.asarray((np.nanstd if np.isnan(values).any() else np.std)(values, axis=axis))


def _repeats_by_chance(rows: Rows, *, seed: int) -> float:
    """Repeats that are to be expected of columns that know nothing of one another.

    Every column is permuted by itself, some columns at a time: once all rows differ, further columns change nothing.
    """
    rng = np.random.default_rng(seed)
    hashed: Hashes | None = None
    for array in (*rows.inputs, rows.target):
        for some in _ever_more_columns(array, rows=rows.read):
            hashed = hashes((hashed, rng.permuted(some, axis=0)))
            if not repeated_share(hashed):
                return 0.0
    return 0.0 if hashed is None else repeated_share(hashed)


def _ever_more_columns(array: Array | None, *, rows: int) -> Iterator[Array]:
    """Cut an array into parts (N, 64), (N, 128), (N, 256)...: few parts, and few columns where few are enough."""
    if array is None:
        return
    flat = array.reshape(rows, -1)
    start, width = 0, FIRST_COLUMNS
    while start < flat.shape[1]:
        yield flat[:, start : start + width]
        start, width = start + width, 2 * width


def _distinct(hashed: Hashes, *, seed: int) -> float:
    some = np.random.default_rng(seed).permutation(hashed)[:DISTINCT_INDICES]
    return float(len(np.unique(some)) / len(some))


def _distinct_in_a_column(inputs: Array, hashed: Hashes) -> float | None:
    """Return the largest share of distinct values in one column of real numbers, among rows that differ.

    Near 1, two rows that agree there are one row twice: measurements so fine do not repeat by themselves.
    """
    if inputs.dtype.kind != "f" or inputs.shape[1] > MOST_COLUMNS:
        return None
    _, first = np.unique(hashed, return_index=True)
    different = inputs[first]
    return float(max(len(np.unique(column)) for column in different.T) / len(different))


def _overlap(train: Rows, validation: Rows, hashed: Hashes, *, seed: int) -> tuple[float, float]:
    """Count validation rows that occur in training, and the same between two halves of training as a control.

    Both are told for all training rows: a share found among r of n rows is multiplied by n / r.
    """
    others = hashes((*validation.inputs, validation.target))
    share = float(np.isin(others, hashed).mean()) * train.total / train.read
    order = np.random.default_rng(seed).permutation(hashed)
    held = order[: min(len(others), len(order) // 2)]
    rest = order[len(held) :]
    control = float(np.isin(held, rest).mean()) * train.total / len(rest) if len(held) else 0.0
    return min(share, 1.0), min(control, 1.0)


def _contradictions(rows: Rows, both: Hashes) -> float:
    """Return the share of rows whose input occurs with another target."""
    if rows.target is None:
        return 0.0
    _, group = np.unique(hashes(rows.inputs), return_inverse=True)
    _, one_of_each = np.unique(both, return_index=True)  # rows of one kind have one input, so lie in one group
    kinds = np.bincount(group[one_of_each], minlength=group.max() + 1)
    return float((kinds[group] > 1).mean())


def _label_spread(workload: Workload, train: Rows, kind: str, *, seed: int, seconds: float) -> float | None:
    """Collect the targets of batches as the training split delivers them."""
    if train.target is None:
        return None
    delivered: list[Array] = []
    rows, started = 0, time.perf_counter()
    for batch in workload.train.batches(seed=seed, epoch=0):
        target = target_of(workload, batch)
        if target is None:
            return None
        delivered.append(target)
        rows += len(target)
        if rows >= DELIVERED_ROWS or time.perf_counter() - started > seconds:
            break
    return targets.batch_label_spread(kind, delivered, train.target, seed=seed)


def _same_order(workload: Workload, *, seed: int) -> bool:
    """Tell whether two epochs come in one order, by the first rows of each."""
    split = workload.train
    if split.rows < 2:
        return False
    batches = max(1, ORDER_ROWS // split.batch_size)
    first, second = (
        [[int(row) for row in rows] for rows in islice(split.order(seed=seed, epoch=epoch), batches)]
        for epoch in (0, 1)
    )
    return first == second


def _leak(columns: Array, target: Array | None) -> tuple[int, float] | None:
    """Return the column whose ranks follow the target's most closely, and the correlation."""
    from scipy.stats import rankdata

    if target is None or columns.shape[1] < 2 or target.reshape(len(target), -1).shape[1] != 1:
        return None
    y = target.reshape(-1)[:CORRELATED_ROWS].astype(np.float64)
    x = columns[:CORRELATED_ROWS]
    if len(np.unique(y)) < MANY_VALUES or not np.isfinite(x).all() or not np.isfinite(y).all():
        return None
    ranks, order = rankdata(x, axis=0), rankdata(y)  # (N, F), (N,)
    ranks, order = ranks - ranks.mean(axis=0), order - order.mean()
    scale = np.sqrt((ranks**2).sum(axis=0) * (order**2).sum())
    correlation = np.divide(order @ ranks, scale, out=np.zeros(len(scale)), where=scale > 0)
    best = int(np.abs(correlation).argmax())
    return best, float(correlation[best])


def _channels_last(inputs: Array) -> bool:
    row = inputs.shape[1:]  # (H, W, C), or (C, H, W)
    return len(row) == 3 and row[-1] in PICTURE_CHANNELS and row[0] > max(PICTURE_CHANNELS)


def _channel_correlation(inputs: Array) -> float | None:
    """Compare how alike neighbours are along the first axis and along the second, which is truly spatial."""
    pictures = inputs[:DISTINCT_INDICES].astype(np.float64)  # (N, H, W, C)
    along_first = _neighbours(pictures[:, :-1], pictures[:, 1:])
    along_second = _neighbours(pictures[:, :, :-1], pictures[:, :, 1:])
    return along_first / along_second if along_second else None


def _neighbours(a: Array, b: Array) -> float:
    a, b = a.reshape(-1), b.reshape(-1)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(cast("float", np.corrcoef(a, b)[0, 1]))
