"""What happens between two updates: losses are noted, the model is looked at, and a run that is over is stopped."""

import functools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from diagnoser.training import evaluation, stopping
from diagnoser.training.data import Split
from diagnoser.training.evaluation import Scores
from diagnoser.training.instruments import Instruments
from diagnoser.training.modes import batch_statistics
from diagnoser.training.preparation import Prepared
from diagnoser.trials import Evaluation, Rows

StoppedBy = Literal["length", "memorised", "stalled", "diverged", "early_stopping", "time", "error"]

LOOK_EVERY = 10  # updates between two looks at the losses; on a device, where a look waits for it, 50
_LOOK_EVERY_ON_DEVICE = 50
_CHECK_SHARE = 0.1  # of the work of training, for looks at the small set: a forward pass is a third of an update
_REPORT_EVERY = 0.5  # seconds
_MOST_POINTS = 2_000  # of a recorded loss curve


class Stop(BaseException):
    """The run is over; no `except Exception` of the user's holds it up."""

    def __init__(self, by: StoppedBy) -> None:
        self.by: StoppedBy = by
        super().__init__(by)


class Watch:
    """Follows one run: told of each batch's loss and of each update."""

    def __init__(
        self, prepared: Prepared, *, report: Callable[[int], None] | None, stops_at_length: bool = True
    ) -> None:
        self.prepared = prepared
        self.trial = prepared.trial
        self.workload = prepared.workload
        self.report = report
        self.limit = prepared.trial.max_seconds  # seconds of wall time; a stack has those of all its trials
        self.stops_at_length = stops_at_length  # False: the user's loop ends when its batches do
        self.updates = 0
        self.losses: list[float] = []
        self.norms: list[list[Tensor] | None] = []  # of the gradient, update by update; None where it was not taken
        self.evaluations: list[Evaluation] = []
        self.instruments: Instruments | None = None
        self.initial_loss: float | None = None
        self.small_scores: Scores | None = None
        self.small_initial = math.nan
        self.last_validation: Scores | None = None
        self.bad_batch: int | None = None  # index of the first non-finite loss
        self.best: tuple[float, dict[str, Tensor]] | None = None
        self.started = time.perf_counter()
        self.aside = 0.0  # seconds that were not training
        self.share: float | None = None  # seconds of a stack's training that are this trial's; None: it runs alone
        self._pending: list[Tensor] = []
        self._epochs_without_gain = 0
        self._best_value = math.nan
        self._stalled_looks = 0
        self._reported = self.started
        self._every = _LOOK_EVERY_ON_DEVICE if self.workload.device.type == "cuda" else LOOK_EVERY
        passes = prepared.train.rows / (3 * prepared.train.batch_size)
        self._next_small = self._small_every = max(LOOK_EVERY, math.ceil(passes / _CHECK_SHARE))
        self._marks = self._evaluation_marks()
        self._next = self._next_event()

    # -- before the run -----------------------------------------------------------------------------------------------

    def measure_start(self) -> float | None:
        """Measure the initial loss on the check batch, and return the spread of the outputs there."""
        with self._not_training():
            start = evaluation.start(
                self.workload, self.prepared.model, self.prepared.train, autocast=self.prepared.autocast
            )
            self.initial_loss = start.loss
            if self.trial.instruments:
                self.instruments = Instruments(self.prepared)
            if self.prepared.small is not None:
                self.small_initial = self._look_at_small_set().loss
        return start.outputs_std

    # -- told by the loop ---------------------------------------------------------------------------------------------

    def batch_loss(self, loss: Tensor) -> None:
        """Note the loss of a batch."""
        self._pending.append(loss.detach())

    def after_update(self) -> None:
        """Follow one update. Raises Stop when the run is over."""
        self.updates += 1
        prepared = self.prepared
        if prepared.schedule is not None:
            prepared.schedule.after_update()
        if prepared.average is not None:
            prepared.average.after_update()
        if self.limit is not None and time.perf_counter() - self.started > self.limit:
            self.flush()
            raise Stop("time")
        if self.updates >= self._next:
            self._events()

    def after_epoch(self) -> None:
        """Follow one epoch: schedules by epoch, early stopping. Raises Stop."""
        prepared = self.prepared
        early = prepared.spec.early_stopping if self.trial.scheduled else None
        by_loss = prepared.schedule is not None and prepared.schedule.by_loss
        scores = self._validate() if early is not None or by_loss else None
        if prepared.schedule is not None:
            prepared.schedule.after_epoch(scores.loss if scores is not None else None)
        if early is None or scores is None:
            return
        value = self._value(scores)
        if math.isnan(self._best_value) or value > self._best_value:
            self._best_value, self._epochs_without_gain = value, 0
            if early.restore_best:
                with self.evaluated_weights():
                    state = {key: tensor.detach().clone() for key, tensor in prepared.model.state_dict().items()}
                self.best = (value, state)
            return
        self._epochs_without_gain += 1
        if self._epochs_without_gain >= early.patience:
            raise Stop("early_stopping")

    def flush(self) -> None:
        """Fetch the losses noted since the last look. Raises Stop when one is not finite."""
        if not self._pending:
            return
        first = len(self.losses)
        self.losses += torch.stack([loss.double().reshape(()) for loss in self._pending]).tolist()
        self._pending = []
        for i in range(first, len(self.losses)):
            if not math.isfinite(self.losses[i]):
                self.bad_batch = i
                del self.losses[i + 1 :]
                raise Stop("diverged")

    # -- after the run ------------------------------------------------------------------------------------------------

    def finish(self, *, stopped_by: StoppedBy) -> None:
        """Evaluate for the last time."""
        if self.best is not None and not self._value(self._validate()) > self.best[0]:
            self.prepared.model.load_state_dict(self.best[1])
            self.prepared.average = None  # what was best were the weights that the average had then
        with self._not_training():
            if self.trial.evaluations > 0:
                self._evaluate()
            if self.prepared.small is not None and (self.small_scores is None or stopped_by != "memorised"):
                self._look_at_small_set()

    @contextmanager
    def evaluated_weights(self) -> Iterator[None]:
        """The weights that are evaluated: the average where there is one."""
        average = self.prepared.average
        with average.swapped() if average is not None else nullcontext():
            yield

    @property
    def seconds(self) -> float:
        """Time spent on training alone."""
        if self.share is not None:
            return self.share
        return max(0.0, time.perf_counter() - self.started - self.aside)

    def curve(self) -> tuple[tuple[float, ...], int]:
        """Return the losses, and how many batches lie between two of them."""
        stride = max(1, -(-len(self.losses) // _MOST_POINTS))
        return tuple(self.losses[::stride]), stride

    def gradient_norms(self) -> tuple[tuple[float, ...], int]:
        """Return norms of the gradient, and how many updates lie between two of them."""
        if self.instruments is None or not self.norms:
            return (), 1
        known = -(-len(self.losses) // self.prepared.spec.accumulate_batches)  # updates with a loss
        return self.instruments.gradient_norms(self.norms[:known], at_most=_MOST_POINTS)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _events(self) -> None:
        self.flush()
        if stopping.diverged(self.losses, initial=self.initial_loss):
            raise Stop("diverged")
        if self.report is not None and time.perf_counter() - self._reported > _REPORT_EVERY:
            self._reported = time.perf_counter()
            self.report(self.updates)
        if self._marks and self.updates >= self._marks[0]:
            self._marks = [mark for mark in self._marks if mark > self.updates]
            with self._not_training():
                self._evaluate()
        if self.trial.stop_when_memorised and self.prepared.small is not None and self.updates >= self._next_small:
            self._stop_if_memorised()
        if self.trial.stop_when_stalled and self.updates % (stopping.STALL_LOOK_EVERY) == 0:
            self._stop_if_stalled()
        if self.stops_at_length and self.updates >= self.prepared.updates:
            raise Stop("length")
        self._next = self._next_event()

    def _next_event(self) -> int:
        marks = [(self.updates // self._every + 1) * self._every, *self._marks[:1]]
        if self.stops_at_length:
            marks.append(max(self.prepared.updates, 1))
        if self.trial.stop_when_memorised:
            marks.append(max(self._next_small, self.updates + 1))
        if self.trial.stop_when_stalled:
            half = stopping.STALL_LOOK_EVERY
            marks.append((self.updates // half + 1) * half)
        return min(marks)

    def _evaluation_marks(self) -> list[int]:
        wanted, total = self.trial.evaluations, self.prepared.updates
        marks = {round(total * (i + 1) / wanted) for i in range(wanted - 1)}
        return sorted(mark for mark in marks if 0 < mark < total)

    def _stop_if_memorised(self) -> None:
        with self._not_training():
            scores = self._look_at_small_set()
        # Counted, not timed: the same trial stops at the same update every time.
        self._next_small = self.updates + max(self._small_every, round(_CHECK_SHARE * self.updates))
        assert self.prepared.small is not None
        if self.prepared.small.memorised(loss=scores.loss, metric=scores.metric, initial=self.small_initial):
            raise Stop("memorised")

    def _stop_if_stalled(self) -> None:
        floor = self.prepared.small.floor if self.prepared.small is not None else None
        stands = stopping.stands_still(self.losses, batches=self.prepared.spec.accumulate_batches, floor=floor or 0.0)
        self._stalled_looks = self._stalled_looks + 1 if stands else 0
        if self._stalled_looks >= stopping.STALL_LOOKS:
            raise Stop("stalled")

    def _look_at_small_set(self) -> Scores:
        with self.evaluated_weights():
            self.small_scores = evaluation.evaluate(
                self.workload, self.prepared.model, self.prepared.train,
                mode=batch_statistics, autocast=self.prepared.autocast,
            )  # fmt: skip
        return self.small_scores

    def _value(self, scores: Scores) -> float:
        """Return what early stopping watches, so that more is better."""
        early = self.prepared.spec.early_stopping
        if early is not None and early.metric is not None and "loss" in early.metric:
            return -scores.loss
        return scores.metric if self.workload.higher_is_better else -scores.metric

    def _validate(self) -> Scores:
        with self._not_training(), self.evaluated_weights():
            return self._scores(self.workload.validation, self._validation_rows)

    def _evaluate(self) -> None:
        with self.evaluated_weights():
            train = None if self.trial.only_validated else self._scores(self._train_split(), self._train_rows)
            validation = self._scores(self.workload.validation, self._validation_rows)
        self.last_validation = validation
        evaluated = Evaluation(
            updates=self.updates,
            epoch=self.updates / self.workload.updates_per_epoch,
            lr=float(self.prepared.optimizer.param_groups[0]["lr"]),
            train_loss=train.loss if train is not None else None,
            train_metric=train.metric if train is not None else None,
            validation_loss=validation.loss,
            validation_metric=validation.metric,
        )
        if self.evaluations and self.evaluations[-1].updates == self.updates:
            self.evaluations.pop()
        self.evaluations.append(evaluated)

    def _train_split(self) -> Split:
        """Return the training rows, without augmentation where all of them are trained on as they were given."""
        if self.trial.rows != Rows() or self.trial.transforms:
            return self.prepared.train
        plain = self.workload.plain_train().on(self.workload.device)
        return plain if plain.rows == self.prepared.train.rows else self.prepared.train

    def _scores(self, split: Split, rows: Tensor) -> Scores:
        return evaluation.evaluate(
            self.workload, self.prepared.model, split, rows=rows, autocast=self.prepared.autocast
        )

    @functools.cached_property
    def _train_rows(self) -> Tensor:
        most = min(evaluation.LARGEST_TRAIN_SUBSET, self.workload.validation.rows)
        return evaluation.check_rows(self.prepared.train, most)

    @functools.cached_property
    def _validation_rows(self) -> Tensor:
        return evaluation.check_rows(self.workload.validation, evaluation.LARGEST_VALIDATION)

    @contextmanager
    def _not_training(self) -> Iterator[None]:
        before = time.perf_counter()
        try:
            yield
        finally:
            self.aside += time.perf_counter() - before
