"""How does each transform change the targets? Standardised, renumbered, shifted; always where batches are made."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from diagnoser.spec.fields import Task
from diagnoser.training.batches import Batch
from diagnoser.training.data import Split
from diagnoser.training.evaluation import check_rows
from diagnoser.training.input_changes import ROWS_FOR_STATISTICS, statistics, with_change
from diagnoser.training.layout import Layout
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe, ProbeKind

# Legend of shapes: B rows, T positions.

_COPIED = 0.99  # of the positions, as the rule next-token-targets-unshifted asks
_OF_TWO_VALUES = frozenset({"bce", "bce_with_logits"})
_PATIENCE = 120.0  # seconds: which renumbering is found must not depend on how busy the machine is
_KEY = "validation labels as training"


def standardise_targets(workload: Workload) -> Workload:
    """(y - mean) / std of the training rows, for training and evaluation alike."""
    layout = workload.layout
    target = layout.target(workload.train.take(check_rows(workload.train, ROWS_FOR_STATISTICS))) if layout else None
    if layout is None or layout.target_at is None or target is None or not target.is_floating_point():
        raise Unsupported("the targets are no real numbers of their own")
    mean, std = statistics(target)

    def change(batch: Batch) -> Any:
        y = layout.target_object(batch)
        return layout.with_target(batch, (y - mean.to(y.device)) / std.to(y.device))

    return with_change(workload, change)


def relabel(workload: Workload) -> Workload:
    """Number the class labels that occur 0, 1, 2... in their order; the label that the loss ignores stays."""
    layout = _with_target(workload)
    splits = [workload.train, workload.validation, *([workload.test] if workload.test is not None else [])]
    labels = torch.cat([_every_label(layout, split) for split in splits]).unique()
    ignored = workload.metric_function.ignored
    if ignored is not None:
        labels = labels[labels != ignored]
    two_values = workload.loss_family in _OF_TWO_VALUES
    outputs = 2 if two_values else workload.classes
    if workload.task is Task.LANGUAGE_MODEL or (outputs is None and not two_values):
        raise Unsupported("the targets are no class labels")
    if torch.equal(labels, torch.arange(len(labels))):
        raise Unsupported(f"the labels are 0 to {len(labels) - 1} already")
    if outputs is not None and len(labels) > outputs:
        raise Unsupported(f"{len(labels)} different labels occur, and the model has {outputs} outputs")

    def change(batch: Batch) -> Any:
        y = layout.target_object(batch)
        known, given = labels.to(y.device), y.long()
        numbered = torch.searchsorted(known, given).to(y.dtype)
        return layout.with_target(batch, numbered if ignored is None else torch.where(given == ignored, y, numbered))

    return replace(with_change(workload, change), loss_problem=None)


def shift_targets(workload: Workload) -> Workload:
    """Make each target the token behind the input's: of targets not shifted, or shifted twice.

    Of targets that are their inputs, the last position's next token is not in the batch: its target is ignored.
    """
    layout, ignored = _with_target(workload), workload.metric_function.ignored
    batch = workload.train.take(check_rows(workload.train, ROWS_FOR_STATISTICS))
    tokens, target = layout.first_input(batch), layout.target(batch)
    if target is None or tokens.shape != target.shape or tokens.ndim != 2 or tokens.shape[1] < 3:
        raise Unsupported("inputs and targets are not the tokens of one text")
    copied = float((target == tokens).double().mean()) >= _COPIED
    twice = float((target[:, :-2] == tokens[:, 2:]).double().mean()) >= _COPIED
    if not copied and not twice:
        raise Unsupported("the targets are neither their inputs nor two tokens ahead of them")
    if copied and ignored is None:
        raise Unsupported("the loss ignores no label, and of the last position the next token is not known")

    def change(batch: Batch) -> Any:
        x, y = layout.first_input(batch), layout.target_object(batch)  # (B, T) both
        last = torch.full_like(y[:, :1], ignored or 0) if copied else y[:, -2:-1]
        return layout.with_target(batch, torch.cat([x[:, 1:].to(y.dtype), last], 1))

    return with_change(workload, change)


def validation_labels_as_training(workload: Workload) -> Workload:
    """Undo the renumbering of validation's labels that the probe of simple models finds."""
    layout = _with_target(workload)
    known = workload.validation.known
    if _KEY not in known:  # sought once: every trial asks for it
        known[_KEY] = _renumbering(workload)
    new = torch.tensor(known[_KEY])
    if not len(new) or torch.equal(new, torch.arange(len(new))):
        raise Unsupported("no other numbering of the validation labels agrees better with the training labels")

    def change(batch: Batch) -> Any:
        y = layout.target_object(batch)
        of = new.to(y.device)
        if y.is_floating_point() and y.ndim == 2 and y.shape[1] == len(new):  # a column for each class
            return layout.with_target(batch, torch.empty_like(y).index_copy_(1, of, y))
        label = y.long()
        inside = (label >= 0) & (label < len(new))  # a label that is ignored stays
        return layout.with_target(batch, torch.where(inside, of[label.clamp(0, len(new) - 1)].to(y.dtype), y))

    return replace(workload, validation=workload.validation.with_change(change))


def _renumbering(workload: Workload) -> tuple[int, ...]:
    """Return what the rule validation-labels-permuted rests on: label i of validation is class `[i]` of training."""
    from diagnoser.training.probes import baselines  # needs scikit-learn, which few trials do

    probe = Probe(probe=ProbeKind.BASELINES, seed=workload.spec.seed, max_seconds=_PATIENCE)
    with forked(workload.spec.seed):
        return baselines.measure(workload, probe).permutation


def class_labels(workload: Workload, split: Split) -> Tensor:
    """Return the class of every row (or of some, where rows do not lie in memory), flat, as whole numbers."""
    layout = _with_target(workload)
    rows = torch.arange(split.rows) if split.in_memory else check_rows(split, ROWS_FOR_STATISTICS)
    target = layout.target(split.take(rows.to(split.device_of_rows())))
    if target is None or workload.task not in {Task.CLASSIFICATION, Task.BINARY}:
        raise Unsupported("the targets are no class labels")
    one_hot = target.is_floating_point() and target.ndim == 2 and target.shape[1] > 1
    return (target.argmax(1) if one_hot else target.round()).flatten().long().cpu()


def _every_label(layout: Layout, split: Split) -> Tensor:
    if not split.in_memory:
        raise Unsupported("labels are renumbered only where all rows fit into memory")
    target = layout.target(split.take(torch.arange(split.rows, device=split.device_of_rows())))
    if target is None or (target.is_floating_point() and not torch.equal(target, target.round())):
        raise Unsupported("the targets are no whole numbers")
    return target.long().flatten().cpu()


def _with_target(workload: Workload) -> Layout:
    if workload.layout is None or workload.layout.target_at is None:
        raise Unsupported("the batch has no target of its own")
    return workload.layout
