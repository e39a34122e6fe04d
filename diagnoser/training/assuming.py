"""What did the spec leave open, and what was it settled to? Task, loss and metric, each with its reason."""

import functools
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from diagnoser.errors import UserCodeError
from diagnoser.evidence.preflight import Assumption, Assumptions
from diagnoser.spec.fields import Task
from diagnoser.spec.names import METRIC_HIGHER_IS_BETTER
from diagnoser.training.batches import Batch, described, length, tensors
from diagnoser.training.building import user_metric
from diagnoser.training.failures import USER_STOPS, user_code_error
from diagnoser.training.first_loss import tried
from diagnoser.training.layout import own_loss
from diagnoser.training.loss_family import observed_family
from diagnoser.training.losses import Family, Loss, from_object, inferred_loss, make_loss
from diagnoser.training.metrics import Metric, default_metric
from diagnoser.training.modes import eval_mode
from diagnoser.training.optimisers import effective_lr
from diagnoser.training.randomness import forked
from diagnoser.training.tasks import Reading, complete, infer_task

if TYPE_CHECKING:
    from diagnoser.training.workload import Workload

_ROWS_FOR_TASK = 1_000  # whose targets are looked at: enough to see both of two classes, quick to read
_PROBABILITY_FAMILIES = frozenset({"bce", "mse", "l1", "huber"})


def settle(workload: "Workload", model: nn.Module, *, first: Batch | None = None) -> "Workload":
    """Settle task, loss, metric by running one batch through an untrained model. Raises UserCodeError."""
    spec = workload.spec
    if first is None:
        first = workload.train.head(workload.train.batch_size)
    workload = replace(workload, assumed=(), step=_step(workload))
    batch = workload.to_device(first)
    answer, output = _answer(workload, model, batch)
    target = workload.layout.target(batch) if workload.layout is not None else None
    if target is not None and workload.layout is not None and workload.layout.target_is_input:
        reading = infer_task(output, target, target_is_input=True, more_targets=None)
    else:
        reading = infer_task(output, target, target_is_input=False, more_targets=_more_targets(workload))
    assumed = list(_remarks(workload))
    if spec.task is not None:
        reading = complete(spec.task, output, target)
    else:
        assumed.append(Assumption(key="task", value=str(reading.task), because=reading.because))
    workload = replace(
        workload,
        task=reading.task,
        classes=reading.classes,
        class_axis=reading.class_axis,
        output_shape=tuple(output.shape) if output is not None else None,
    )
    workload = _with_loss(workload, batch, answer=answer, output=output, assumed=assumed)
    workload = _with_metric(workload, reading, output, assumed)
    workload = replace(workload, assumed=(*assumed, *_defaults(workload)))
    return tried(workload, model, batch, output)


def assumptions(workload: "Workload") -> Assumptions:
    """Say what the spec left open and what it was settled to."""
    with forked(workload.spec.seed):
        model = workload.build_model(seed=workload.spec.seed)
        optimizer = workload.build_optimizer(model) if any(True for _ in model.parameters()) else None
    layout = workload.layout
    first = workload.train.head(min(workload.train.batch_size, workload.train.rows))
    target = layout.target(first) if layout is not None else None
    given = layout.first_input(first) if layout is not None else next(iter(tensors(first)), torch.empty(0))
    rows = length(first)
    shape = workload.output_shape
    return Assumptions(
        task=workload.task,
        classes=workload.classes,
        loss=workload.loss_words,
        loss_family=workload.loss_family,
        metric=workload.metric_name,
        higher_is_better=workload.higher_is_better,
        batch_layout=layout.describe if layout is not None else f"known to the step alone: {described(first)}",
        input_shape=tuple(given.shape),
        target_shape=tuple(target.shape) if target is not None else None,
        output_shape=(rows, *shape[1:]) if shape else shape,
        updates_per_epoch=workload.updates_per_epoch,
        total_updates=workload.total_updates,
        effective_lr=effective_lr(optimizer) if optimizer is not None else workload.spec.optimizer.lr,
        assumed=workload.assumed,
    )


def _step(workload: "Workload") -> Any:
    from diagnoser.training.resolve import import_attribute

    if workload.objects.step is not None:
        return workload.objects.step
    return import_attribute(workload.spec.step, folder=workload.folder) if workload.spec.step is not None else None


def _answer(workload: "Workload", model: nn.Module, batch: Batch) -> tuple[Any, Tensor | None]:
    layout = workload.layout
    if layout is None or not layout.callable:
        return None, None
    with eval_mode(model), torch.no_grad(), forked(0), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = layout.call(model, batch)
        except USER_STOPS as error:
            if workload.step is not None:
                return None, None
            raise user_code_error("The model failed on the first batch", error) from error
    return answer, layout.output(answer)


def _more_targets(workload: "Workload") -> Tensor | None:
    layout = workload.layout
    if layout is None:
        return None
    rows = min(workload.train.rows, _ROWS_FOR_TASK if workload.train.in_memory else workload.train.batch_size)
    with forked(0):
        return layout.target(workload.train.take(torch.linspace(0, workload.train.rows - 1, rows).long()))


def _remarks(workload: "Workload") -> list[Assumption]:
    splits = [workload.train, workload.validation, *([workload.test] if workload.test is not None else [])]
    found = [Assumption(key="data", value=split.name, because=remark) for split in splits for remark in split.remarks]
    if workload.layout is not None and workload.step is None:
        found.append(Assumption(key="step", value=workload.layout.describe, because="how the first batch was read"))
    if workload.one_initialisation:
        because = "a module was given in place of a factory: every trial starts from a copy, so one initialisation only"
        found.append(Assumption(key="model", value="copied", because=because))
    return found


def _with_loss(
    workload: "Workload", batch: Batch, *, answer: Any, output: Tensor | None, assumed: list[Assumption]
) -> "Workload":
    spec, device = workload.spec, workload.device
    loss: Loss | None = None
    if workload.step is not None:
        return replace(workload, loss_function=None, loss_family=_step_family(workload, batch, output))
    if workload.objects.loss is not None:
        loss = from_object(
            workload.objects.loss, words=getattr(workload.objects.loss, "__name__", "loss"), device=device
        )
    elif spec.loss is not None:
        loss = make_loss(spec.loss, folder=workload.folder, device=device)
    elif own_loss(answer) is not None:
        assumed.append(Assumption(key="loss", value="the model's own", because="the model answers with a loss"))
        return replace(workload, loss_function=None, loss_family="other")
    else:
        probabilities = output is not None and _probabilities(output, workload)
        loss = inferred_loss(workload.task, probabilities=probabilities)
        if loss is None:
            raise UserCodeError("no loss is given and none follows from a custom task: name one with `loss` or `step`")
        assumed.append(Assumption(key="loss", value=loss.words, because=f"the usual loss of the task {workload.task}"))
    target = workload.layout.target(batch) if workload.layout is not None else None
    family = loss.family
    if family == "other" and not loss.built_in and isinstance(answer, Tensor) and target is not None:
        family = observed_family(loss.of, answer.detach(), target)
    return replace(workload, loss_function=loss, loss_family=family)


def _step_family(workload: "Workload", batch: Batch, output: Tensor | None) -> Family:
    """Observe the loss inside a step by giving it a model that answers what we choose."""
    layout = workload.layout
    if layout is None or output is None or layout.target(batch) is None or layout.target_at is None:
        return "other"
    one = workload.to_device(workload.train.head(1))
    target = layout.target(one)
    assert target is not None

    def of(z: Tensor, y: Tensor) -> Tensor:
        return workload.loss_of_answers(z, layout.with_target(one, y))

    return observed_family(of, output[:1], target)


def _probabilities(output: Tensor, workload: "Workload") -> bool:
    """Tell whether the model already ends in a softmax or sigmoid."""
    inside = bool(((output >= 0) & (output <= 1)).all())
    if workload.task in {Task.BINARY, Task.MULTILABEL}:
        return inside and output.numel() > 1
    axis = workload.class_axis
    return inside and output.ndim > axis and bool(((output.sum(axis) - 1).abs() < 1e-3).all())


def _with_metric(
    workload: "Workload", reading: Reading, output: Tensor | None, assumed: list[Assumption]
) -> "Workload":
    spec = workload.spec
    threshold = 0.5 if workload.loss_family in _PROBABILITY_FAMILIES else 0.0
    if workload.loss_family == "other" and output is not None and bool(((output >= 0) & (output <= 1)).all()):
        threshold = 0.5
    own = user_metric(spec, folder=workload.folder, objects=workload.objects)
    of_task: dict[str, Any] = {
        "task": workload.task,
        "class_axis": reading.class_axis,
        "threshold": threshold,
        "ignored": _ignored(workload),
    }
    if own is not None:
        name, function, higher = own
        metric = Metric(name=name, higher_is_better=higher, function=function, **of_task)
    else:
        given = spec.metric.name if spec.metric is not None else None
        comparable = output is not None and workload.layout is not None
        name = given or (default_metric(workload.task) if comparable else "loss")
        if given is None:
            assumed.append(
                Assumption(key="metric", value=name, because=f"the usual metric of the task {workload.task}")
            )
        metric = Metric(name=name, higher_is_better=METRIC_HIGHER_IS_BETTER[name], **of_task)
    return replace(workload, metric_function=metric)


def _ignored(workload: "Workload") -> int | None:
    if workload.loss_family not in {"cross_entropy", "nll"}:
        return None
    function = workload.loss_function.function if workload.loss_function is not None else None
    found = getattr(function, "ignore_index", None)
    if isinstance(function, functools.partial):
        found = function.keywords.get("ignore_index")
    return found if isinstance(found, int) else -100  # torch's default


def _defaults(workload: "Workload") -> list[Assumption]:
    from diagnoser.training.workload import DEFAULT_EPOCHS

    spec, found = workload.spec, []
    fields = spec.model_fields_set
    if "optimizer" not in fields and workload.objects.optimizer is None:
        found.append(Assumption(key="optimizer", value="adam, lr 0.001", because="none is given: our default"))
    if spec.epochs is None and spec.steps is None:
        found.append(Assumption(key="epochs", value=DEFAULT_EPOCHS, because="no length is given: our default"))
    if spec.device == "auto":
        found.append(Assumption(key="device", value=str(workload.device), because="what this machine has"))
    return found
