"""What is known of the small set from an earlier trial? Its rows are chosen once, its floor is sought once.

Both depend on the rows, on what the batch means and on the loss, and most trials on the small set differ in their
learning rate alone.
"""

import hashlib
from typing import Any

import torch
from torch import Tensor

from diagnoser.training import small_set
from diagnoser.training.batches import Batch, described, leaves
from diagnoser.training.data import Split
from diagnoser.training.randomness import forked
from diagnoser.training.small_set import SmallSet
from diagnoser.training.workload import Workload

_MOST_KEPT = 64  # descriptions: a loss that is rebuilt for each trial is never found again


def chosen_rows(workload: Workload, split: Split, *, per_class: int) -> Tensor:
    """Return the rows of the small set; see `small_set.choose`. Leaves chance as it was, found or sought."""
    key = ("small set", per_class, workload.task, workload.layout)
    if key not in split.known:
        with forked(0):
            split.known[key] = small_set.choose(workload, split, per_class=per_class)
    rows: Tensor = split.known[key]
    return rows


def description(workload: Workload, batch: Batch, *, of: Split) -> SmallSet:
    """Say what memorising these rows means; see `small_set.describe`. `of` is the split that remembers."""
    digest = _digest(batch)
    if digest is None:
        return _sought(workload, batch)
    # Functions are told by which object they are: what they compute cannot be compared.
    functions = (workload.loss_function, workload.metric_function, workload.step)
    kept: dict[Any, tuple[Any, SmallSet]] = of.known.setdefault("descriptions", {})
    key = (
        digest, *map(id, functions), workload.task, workload.layout, workload.loss_family, workload.loss_is_mean,
        workload.device,
        workload.output_shape, workload.class_axis, workload.train.batch_size,
    )  # fmt: skip
    if key not in kept:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[key] = (functions, _sought(workload, batch))  # held, so that no other object gets their ids
    return kept[key][1]


def _sought(workload: Workload, batch: Batch) -> SmallSet:
    with torch.enable_grad():
        return small_set.describe(workload, batch)


def _digest(batch: Batch) -> str | None:
    """Hash a batch; None when there is more in it than plain tensors."""
    parts = list(leaves(batch))
    if not all(isinstance(part, Tensor) and part.layout is torch.strided and not part.is_quantized for part in parts):
        return None
    digest = hashlib.sha256(described(batch).encode())
    for part in parts:
        digest.update(part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
