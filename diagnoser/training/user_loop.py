"""How does the user's own loop train? Called once per epoch, in turn with their `evaluate`, as their program would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from diagnoser.errors import UserCodeError
from diagnoser.training.batches import Batch
from diagnoser.training.data import Split
from diagnoser.training.preparation import Prepared
from diagnoser.training.resolve import parameters_of
from diagnoser.training.watching import Stop, Watch
from diagnoser.training.workload import Workload


class Batches:
    """One epoch of batches, as a loop of the user's expects a DataLoader: iterable, with a length and a data set."""

    def __init__(
        self, workload: Workload, split: Split, *, seed: int, may_go_on: Callable[[int], bool] | None = None
    ) -> None:
        self.workload = workload
        self.split = split
        self.seed = seed
        self.epoch = 0
        self.drawn = 0
        self.may_go_on = may_go_on
        self.dataset = split.dataset if split.dataset is not None else range(split.rows)
        self.batch_size = split.batch_size
        self.drop_last = split.drop_last

    def __len__(self) -> int:
        return self.split.batches_per_epoch()

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        self.epoch += 1  # a loop that iterates twice sees two orders
        for batch in self.split.batches(seed=self.seed, epoch=epoch):
            if self.may_go_on is not None and not self.may_go_on(self.drawn):
                return
            self.drawn += 1
            yield self.workload.to_device(batch)


def arguments(function: Callable[..., Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return those of the known objects that a loop names: `scheduler`, `loss`, `scaler`."""
    names = parameters_of(function) or ()
    return {key: value for key, value in known.items() if key in names}


def train(prepared: Prepared, watch: Watch) -> dict[str, float]:
    """Train with the user's loop and return what their `evaluate` said last. Raises Stop when the watch does."""
    workload, model, optimizer = prepared.workload, prepared.model, prepared.optimizer
    loop, evaluate = workload.attribute("loop"), workload.attribute("evaluate")
    if loop is None:
        raise UserCodeError("the trial asks for the user's loop, and the spec names none")
    schedule, loss = prepared.schedule, workload.loss_function
    scaler = prepared.scaler or torch.amp.GradScaler(workload.device.type, enabled=False)
    extra = arguments(
        loop,
        {
            "scheduler": schedule.scheduler if schedule is not None else None,
            "loss": loss.of if loss is not None else None,
            "scaler": scaler,
        },
    )
    if "scheduler" in extra:
        prepared.schedule = None  # theirs to step
    most = prepared.updates * prepared.spec.accumulate_batches

    def may_go_on(drawn: int) -> bool:
        return drawn < most and watch.updates < prepared.updates

    batches = Batches(workload, prepared.train, seed=prepared.trial.seed, may_go_on=may_go_on)
    validation = Batches(workload, workload.validation, seed=prepared.trial.seed)
    metrics: dict[str, float] = {}
    with watched(optimizer, watch):
        while may_go_on(batches.drawn):
            before = batches.drawn
            with prepared.autocast() if "scaler" not in extra else torch.enable_grad():
                loop(model, optimizer, batches, **extra)
            if batches.drawn == before:
                break  # the loop draws nothing: the audit says so
            watch.flush()
            if evaluate is not None:
                with watch.evaluated_weights():
                    metrics = as_numbers(evaluate(model, validation))
            watch.after_epoch()
    return metrics


@contextmanager
def watched(optimizer: Any, watch: Watch) -> Iterator[None]:
    """Tell the watch of each update and of each scalar that the loop calls `backward` on.

    Covers: `optimizer.step` of torch's optimizers, `Tensor.backward`. Does not cover: torch.autograd.grad, an update
    written by hand.
    """
    backward = Tensor.backward

    def noted(self: Tensor, *args: Any, **kwargs: Any) -> None:
        if self.numel() == 1:
            watch.batch_loss(self)
        backward(self, *args, **kwargs)  # type: ignore[no-untyped-call]  # torch has no types for it

    def stepped(*_: Any) -> None:
        watch.after_update()

    Tensor.backward = noted  # type: ignore[method-assign]  # put back below
    handle = optimizer.register_step_post_hook(stepped) if hasattr(optimizer, "register_step_post_hook") else None
    try:
        yield
    except Stop as stop:
        if stop.by != "length":
            raise
    finally:
        Tensor.backward = backward  # type: ignore[method-assign]
        if handle is not None:
            handle.remove()


def as_numbers(value: Any) -> dict[str, float]:
    """Read what the user's `evaluate` returned."""
    items = value.items() if isinstance(value, dict) else [("value", value)]
    found: dict[str, float] = {}
    for key, item in items:
        number = item.item() if isinstance(item, Tensor) and item.numel() == 1 else item
        if isinstance(number, int | float) or hasattr(number, "__float__"):
            found[str(key)] = float(number)
    return found
