"""What does a trial train, on which rows and with what? The workload under all that the trial says."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.patching import apply_changes
from diagnoser.training import remembering, small_set, transforms
from diagnoser.training.batches import map_tensors
from diagnoser.training.data import Split
from diagnoser.training.ema import Average
from diagnoser.training.modes import set_dropout
from diagnoser.training.optimisers import Schedule, build_schedule, set_weight_decay
from diagnoser.training.randomness import derived, seed_everything
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Rows, Transform, Trial

_SHARE_SEED = 4_409  # subsets of a share are nested: a larger one holds the smaller one's rows


@dataclass(kw_only=True)
class Prepared:
    """All that a trial needs, built afresh."""

    given: Workload  # as it was before this trial
    trial: Trial
    spec: TrainingSpec
    workload: Workload  # under the changes; `train` are the rows trained on
    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule | None
    average: Average | None
    updates: int
    autocast: Callable[[], AbstractContextManager[Any]]
    scaler: torch.amp.GradScaler | None
    small: small_set.SmallSet | None

    @property
    def train(self) -> Split:
        """The rows trained on."""
        return self.workload.train


def prepare(workload: Workload, trial: Trial) -> Prepared:
    """Build model, optimizer and rows of a trial. Raises UserCodeError, Unsupported, and what user code raises."""
    spec = spec_of(workload.spec, trial)
    changed = _with_data(workload.under(spec), trial)
    seed_everything(trial.seed)
    changed = transforms.apply_to_workload(changed, trial.transforms, regularised=trial.regularised)
    unchosen, changed = changed, replace(changed, train=rows_of(changed, trial.rows, seed=trial.seed))
    model = changed.build_model(seed=trial.seed)
    if not any(True for _ in model.parameters()):
        raise UserCodeError("the model has no parameters: there is nothing that an optimizer could train")
    if not trial.regularised:
        set_dropout(model, 0.0)
    model = transforms.apply(model, changed, trial.transforms)
    optimizer = changed.build_optimizer(model)
    if not trial.regularised and trial.penalty is None:
        set_weight_decay(optimizer, 0.0)
    transforms.apply_to_optimizer(optimizer, model, trial.transforms)
    total = changed.total_updates
    updates = total if trial.updates is None else trial.updates
    schedule, average = None, None
    if trial.scheduled:
        schedule = build_schedule(
            spec.scheduler, optimizer, total_updates=max(total, updates), updates_per_epoch=changed.updates_per_epoch
        )
        average = Average(model, spec.ema) if spec.ema is not None else None
    autocast, scaler = _precision(spec, changed.device)
    small = None
    if trial.rows.per_class is not None:
        # Zeroed inputs are a control: it is asked to know the rows as they were given, and should fail.
        given = changed.train
        if trial.rows.inputs != "given":
            given = rows_of(unchosen, trial.rows.model_copy(update={"inputs": "given"}), seed=trial.seed)
        small = remembering.description(changed, given.head(given.rows), of=workload.train)
    changed.train = changed.train.on(changed.device)
    changed.validation = changed.validation.on(changed.device)
    seed_everything(derived(trial.seed, "training"))
    return Prepared(
        given=workload, trial=trial, spec=spec, workload=changed, model=model, optimizer=optimizer, schedule=schedule,
        average=average, updates=updates, autocast=autocast, scaler=scaler, small=small,
    )  # fmt: skip


def spec_of(spec: TrainingSpec, trial: Trial) -> TrainingSpec:
    """Return the spec as this trial has it."""
    changed = apply_changes(spec, trial.changes)
    optimizer = changed.optimizer
    if trial.penalty is not None:
        optimizer = optimizer.decaying(trial.penalty)
    elif not trial.regularised:
        optimizer = optimizer.decaying(0.0)
    return changed if optimizer is changed.optimizer else changed.model_copy(update={"optimizer": optimizer})


def rows_of(workload: Workload, rows: Rows, *, seed: int) -> Split:
    """Return the rows that a trial trains on, with its labels and inputs."""
    split = workload.train
    if rows.per_class is not None:
        split = split.subset(remembering.chosen_rows(workload, split, per_class=rows.per_class)).materialised()
        split = _few(split)
    elif rows.share < 1:
        order = torch.randperm(split.rows, generator=torch.Generator().manual_seed(_SHARE_SEED))
        split = _few(split.subset(order[: max(1, round(rows.share * split.rows))].sort().values))
    if rows.labels == "permuted":
        split = _permuted(workload, split, seed=seed)
    if rows.inputs == "zeroed":
        layout = workload.layout
        if layout is None or layout.target_is_input:
            raise Unsupported("inputs cannot be zeroed where the batch is known to the step alone")
        split = split.with_change(lambda batch: layout.map_inputs(batch, torch.zeros_like))
    return split


def _few(split: Split) -> Split:
    """Batch a subset of ours: a last batch of one row, which BatchNorm refuses, is our doing and left out."""
    size = min(split.batch_size, split.rows)
    return replace(split, batch_size=size, drop_last=size > 1 and split.rows % size == 1)


def _permuted(workload: Workload, split: Split, *, seed: int) -> Split:
    layout = workload.layout
    if layout is None or layout.target_at is None:
        raise Unsupported("labels cannot be permuted: the batch has no target of its own")
    if split.memory is None:
        raise Unsupported("labels are permuted only for rows that fit into memory")
    target = layout.target_object(split.memory)
    order = torch.randperm(split.rows, generator=torch.Generator().manual_seed(derived(seed, "permuted")))
    permuted = map_tensors(lambda tensor: tensor[order.to(tensor.device)], target)
    return replace(split, memory=layout.with_target(split.memory, permuted), known={})


def _with_data(workload: Workload, trial: Trial) -> Workload:
    """Let what the trial says of the batches win over a DataLoader's own settings."""
    data, train = workload.spec.data, workload.train
    settings: dict[str, Any] = {
        key: getattr(data, key) for key in ("batch_size", "shuffle") if f"data.{key}" in trial.changes
    }
    if settings:
        train = train.with_settings(**settings)
    if Transform.DROP_LAST_BATCH in trial.transforms:
        train = train.with_settings(drop_last=True)
    if not trial.regularised and train is workload.train:
        train = workload.plain_train()
    return workload if train is workload.train else replace(workload, train=train)


def _precision(
    spec: TrainingSpec, device: torch.device
) -> tuple[Callable[[], AbstractContextManager[Any]], torch.amp.GradScaler | None]:
    if spec.precision == "float32":
        return nullcontext, None
    kind = torch.bfloat16 if spec.precision == "bfloat16" else torch.float16

    def autocast() -> AbstractContextManager[Any]:
        return torch.autocast(device.type, dtype=kind)

    return autocast, torch.amp.GradScaler(device.type) if kind is torch.float16 else None


def trainable(model: nn.Module) -> list[Tensor]:
    """List the parameters that have gradients."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
