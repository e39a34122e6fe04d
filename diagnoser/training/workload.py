"""What is there to train: the spec turned into live objects, built afresh for every trial."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from diagnoser.errors import UserCodeError
from diagnoser.evidence.preflight import Assumption, Assumptions
from diagnoser.spec.fields import Task, TrainingSpec
from diagnoser.training import assuming, batches
from diagnoser.training.batches import Batch
from diagnoser.training.building import Answers, build_model
from diagnoser.training.data import Split
from diagnoser.training.failures import USER_STOPS, user_code_error
from diagnoser.training.layout import Layout, infer_layout, own_loss
from diagnoser.training.live import LiveObjects
from diagnoser.training.losses import Family, Loss, scalar
from diagnoser.training.metrics import Metric
from diagnoser.training.optimisers import Schedule, build_optimizer, build_schedule
from diagnoser.training.randomness import forked, restored
from diagnoser.training.reading import Splits, build_splits, fingerprint
from diagnoser.training.resolve import import_attribute, imported_files
from diagnoser.training.stacked.decisions import Decisions

DEFAULT_EPOCHS = 10  # DESIGN 5
# Rows of one forward pass without gradients, fewer when a row is large: from here on more are no faster, and on a CPU
# what they need is too much for its caches.
EVALUATION_ROWS = 256
_EVALUATION_VALUES = 2**24  # input values of one such pass, 64 MiB of float32


@dataclass(kw_only=True)
class Workload:
    """The user's training program, ready to be run; everything in it belongs to us or is built afresh."""

    spec: TrainingSpec
    folder: Path
    device: torch.device
    task: Task
    layout: Layout | None  # None only if the step's batch cannot be understood
    train: Split
    validation: Split
    test: Split | None
    data_fingerprint: str
    imported_files: tuple[str, ...]
    objects: LiveObjects
    loss_function: Loss | None  # None: the loss is a step, or the model's own
    loss_family: Family
    metric_function: Metric
    classes: int | None
    class_axis: int
    step: Callable[[Any, Any], Any] | None
    assumed: tuple[Assumption, ...]
    output_shape: tuple[int, ...] | None
    loss_is_mean: bool = True  # False: the loss grows with the batch
    loss_problem: str | None = None  # what the first loss raised because of values, not shapes: a label out of range
    one_initialisation: bool = False  # a module instance was given: every trial starts from a copy of it
    stacking: Decisions = field(default_factory=Decisions)  # what was found out about stacking this model
    _plain: list[Splits] = field(default_factory=list)

    # -- building -----------------------------------------------------------------------------------------------------

    def build_model(self, *, seed: int, spec: TrainingSpec | None = None) -> nn.Module:
        """Build the model afresh under a seed, on the device, in the mode in which the factory left it."""
        return build_model(
            spec or self.spec, folder=self.folder, objects=self.objects, seed=seed, device=self.device,
            layout=self.layout, batch=lambda: self.train.head(2),
        )  # fmt: skip

    def build_optimizer(self, model: nn.Module, *, spec: TrainingSpec | None = None) -> Optimizer:
        """Build the optimizer of the spec on a model."""
        return build_optimizer((spec or self.spec).optimizer, model, folder=self.folder, factory=self.objects.optimizer)

    def build_scheduler(
        self, optimizer: Optimizer, *, spec: TrainingSpec | None = None, total_updates: int, updates_per_epoch: int
    ) -> Schedule | None:
        """Build the schedule of the user's whole run."""
        given = (spec or self.spec).scheduler
        return build_schedule(given, optimizer, total_updates=total_updates, updates_per_epoch=updates_per_epoch)

    def attribute(self, name: str) -> Callable[..., Any] | None:
        """Return the user's `loop` or `evaluate`; None when there is none."""
        live: Callable[..., Any] | None = getattr(self.objects, name)
        reference = getattr(self.spec, name)
        if live is not None or reference is None:
            return live
        found: Callable[..., Any] = import_attribute(reference, folder=self.folder)
        return found

    # -- calling ------------------------------------------------------------------------------------------------------

    def loss(self, model: nn.Module, batch: Batch, *, spec: TrainingSpec | None = None) -> Tensor:
        """Compute the loss of a batch that lies on the device."""
        if spec is not None and spec != self.spec:
            return self.under(spec).loss(model, batch)
        if self.step is not None:
            return scalar(self.step(model, batch))
        assert self.layout is not None
        answer = self.layout.call(model, batch)
        return self.loss_of_answer(answer, batch)

    def loss_of_answer(self, answer: Any, batch: Batch) -> Tensor:
        """Compute the loss of what the model answered; not for a step."""
        assert self.layout is not None
        if self.loss_function is None:
            found = own_loss(answer)
            if found is None:
                raise UserCodeError("the model answered without its loss")
            return found.reshape(())
        given = self.layout.output(answer) if self.loss_function.built_in else answer
        return self.loss_function.of(given, self.layout.target_object(batch))

    def loss_of_output(self, output: Tensor, target: Any, *, spec: TrainingSpec | None = None) -> Tensor | None:
        """Compute the loss of an output; None when the loss is a step or the model's own."""
        if spec is not None and spec != self.spec:
            return self.under(spec).loss_of_output(output, target)
        return None if self.loss_function is None else self.loss_function.of(output, target)

    def loss_of_answers(self, output: Tensor, batch: Batch) -> Tensor:
        """Compute the loss as if the model had answered `output` for a batch; also of a step, if it asks no more."""
        if self.step is not None:
            return scalar(self.step(Answers(output), batch))
        assert self.loss_function is not None
        assert self.layout is not None
        return self.loss_function.of(output, self.layout.target_object(batch))

    def output(self, model: nn.Module, batch: Batch) -> Tensor | None:
        """Return the main tensor of the model's answer; None when only the step knows how to call it."""
        if self.layout is None or not self.layout.callable:
            return None
        return self.layout.output(self.layout.call(model, batch))

    def metric(self, output: Tensor, target: Tensor) -> float:
        """Compute the metric of one batch."""
        metric = self.metric_function
        if metric.of_the_loss:
            loss = self.loss_of_output(output, target)
            return metric.score([], loss=float("nan") if loss is None else float(loss))
        return metric.score([metric.keep(output, target)])

    @property
    def metric_name(self) -> str:
        """The name of the metric."""
        return self.metric_function.name

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric_function.higher_is_better

    @property
    def loss_words(self) -> str:
        """The loss, named."""
        if self.step is not None:
            return f"step {self.spec.step or getattr(self.step, '__name__', 'given')}"
        return self.loss_function.words if self.loss_function is not None else "the model's own loss"

    @property
    def has_user_step(self) -> bool:
        """Whether the loss is computed by a step of the user's."""
        return self.step is not None

    def to_device(self, batch: Batch) -> Batch:
        """Move a batch to the device."""
        return batch if self.device.type == "cpu" else batches.to_device(batch, self.device)

    # -- length -------------------------------------------------------------------------------------------------------

    @property
    def updates_per_epoch(self) -> int:
        """Optimizer updates of one epoch of all training rows."""
        return max(1, -(-self.train.batches_per_epoch() // self.spec.accumulate_batches))

    @property
    def total_updates(self) -> int:
        """Optimizer updates of the user's whole run."""
        if self.spec.steps is not None:
            return self.spec.steps
        return (self.spec.epochs or DEFAULT_EPOCHS) * self.updates_per_epoch

    def evaluation_rows(self, split: Split | None = None) -> int:
        """Rows of one pass without gradients: the user's batch for a loss that grows with it, else as many as fit."""
        size = (split or self.train).batch_size
        if not self.loss_is_mean:
            return size
        sample = batches.tensors(self.train.head(1))
        values = max(1, sum(tensor.numel() for tensor in sample))
        return max(size, min(EVALUATION_ROWS, _EVALUATION_VALUES // values))

    # -- other forms --------------------------------------------------------------------------------------------------

    def under(self, spec: TrainingSpec) -> "Workload":
        """Return the workload as another spec has it: data are read again only if their factory or arguments differ."""
        if spec == self.spec:
            return self
        old, new = self.spec, spec
        changed = replace(self, spec=spec, _plain=[])
        if (old.data.factory, old.data.args) != (new.data.factory, new.data.args):
            changed.train, changed.validation, changed.test = build_splits(
                spec, folder=self.folder, objects=self.objects
            )
        settings: dict[str, Any] = {
            key: getattr(new.data, key)
            for key in ("batch_size", "shuffle")
            if getattr(old.data, key) != getattr(new.data, key)
        }
        if settings:
            changed.train = changed.train.with_settings(**settings)
        asked = ("loss", "step", "task", "metric", "device")
        if any(getattr(old, key) != getattr(new, key) for key in asked):
            model = self.build_model(seed=spec.seed, spec=spec)
            return assuming.settle(changed, model)
        return changed

    def plain_train(self) -> Split:
        """Return the training rows without augmentation, where the spec says how to turn it off."""
        if self.spec.data.plain_args is None or (self.objects.data is not None and not callable(self.objects.data)):
            return self.train
        if not self._plain:
            with restored():
                self._plain.append(build_splits(self.spec, folder=self.folder, objects=self.objects, plain=True))
        plain = self._plain[0][0]
        return plain if plain.rows == self.train.rows else self.train

    def assumptions(self) -> Assumptions:
        """Say what the spec left open and what it was settled to."""
        return assuming.assumptions(self)


def load(spec: TrainingSpec, *, folder: Path, objects: LiveObjects | None = None) -> Workload:
    """Import the user's code, read the data and try one batch.

    Raises UserCodeError when no model, batch or loss can be had for reasons of the user's code. A loss that fails only
    because of values (a label out of range) does not raise: it is a finding.
    """
    live = objects or LiveObjects()
    device = _device(spec.device)
    with restored():
        splits = build_splits(spec, folder=folder, objects=live)
        train, validation, test = splits
        try:
            with forked(0):
                first = train.take(next(iter(train.order(seed=spec.seed, epoch=0))))
        except USER_STOPS as error:
            raise user_code_error("data: the first batch could not be made", error) from error
        step = live.step or (import_attribute(spec.step, folder=folder) if spec.step is not None else None)
        model = build_model(
            spec, folder=folder, objects=live, seed=spec.seed, device=device, layout=None, batch=lambda: first
        )
        layout = _layout(spec if step is None or spec.step else spec.model_copy(update={"step": "given"}), model, first)
        factory = live.model_fn if live.model_fn is not None else import_attribute(spec.model.factory, folder=folder)
        workload = Workload(
            spec=spec, folder=folder, device=device, task=spec.task or Task.CUSTOM, layout=layout,
            train=train, validation=validation, test=test,
            data_fingerprint=fingerprint(splits), imported_files=(), objects=live,
            loss_function=None, loss_family="other",
            metric_function=Metric(name="loss", higher_is_better=False, task=Task.CUSTOM),
            classes=None, class_axis=1, step=step, assumed=(), output_shape=None,
            one_initialisation=isinstance(factory, nn.Module),
        )  # fmt: skip
        settled = assuming.settle(workload, model, first=first)
        for name in ("loop", "evaluate"):
            settled.attribute(name)
    settled.imported_files = imported_files(folder)
    return settled


def _layout(spec: TrainingSpec, model: nn.Module, batch: Batch) -> Layout | None:
    try:
        return infer_layout(spec, model, batch)
    except UserCodeError:
        if spec.step is None:
            raise
        return None


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserCodeError(f"device: the spec asks for {name}, and torch sees no CUDA device here")
    return torch.device(name)
