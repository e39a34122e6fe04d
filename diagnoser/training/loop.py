"""How is one trial trained: the reference loop, and everything round it that turns a run into a result."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.errors import SpecError
from diagnoser.spec.fields import Task
from diagnoser.training import evaluation, memory, non_finite, user_loop
from diagnoser.training.failures import USER_STOPS, is_ours, outcome_of, user_error
from diagnoser.training.modes import functional_dropout_off, weight_norm
from diagnoser.training.preparation import Prepared, prepare
from diagnoser.training.randomness import restored
from diagnoser.training.watching import Stop, StoppedBy, Watch
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Transform, Trial, TrialResult, UserError


def run_trial(workload: Workload, trial: Trial, *, report: Callable[[int], None] | None = None) -> TrialResult:
    """Train once, as the trial says. What the user's code does wrong is a result; what ours does propagates."""
    start = time.perf_counter()
    with restored(), functional_dropout_off(when=not trial.regularised):
        if workload.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(workload.device)
        else:
            memory.reset_peak()
        try:
            prepared = prepare(workload, trial)
        except (*USER_STOPS, SpecError) as error:
            return unprepared(error, seconds=time.perf_counter() - start)
        users = trial.loop == "user" and Transform.OUR_LOOP not in trial.transforms
        watch = Watch(prepared, report=report, stops_at_length=not users)
        return _watched(prepared, watch, users=users)


def _watched(prepared: Prepared, watch: Watch, *, users: bool) -> TrialResult:
    measured: dict[str, Any] = {}
    stopped_by: StoppedBy = "length"
    try:
        begin(prepared, watch, measured)
        if prepared.updates > 0:
            stopped_by = _run(prepared, watch, users=users, measured=measured)
    except USER_STOPS as error:
        return fail(prepared, watch, measured, error)
    return conclude(prepared, watch, measured, stopped_by=stopped_by, users=users)


def begin(prepared: Prepared, watch: Watch, measured: dict[str, Any]) -> None:
    """Measure what the untrained model tells, and start the clock. Raises what the user's code raises."""
    if prepared.workload.loss_problem is not None and prepared.workload.device.type == "cuda":
        raise IndexError(prepared.workload.loss_problem)  # on the device it would take the process with it
    if not prepared.trial.only_validated:
        measured["weight_norm_start"] = weight_norm(prepared.model)
        measured["initial_outputs_std"] = watch.measure_start()
    watch.started, watch.aside = time.perf_counter(), 0.0


def conclude(
    prepared: Prepared, watch: Watch, measured: dict[str, Any], *, stopped_by: StoppedBy, users: bool = False
) -> TrialResult:
    """Measure what the trained model tells, and make the result."""
    measured["seconds"] = watch.seconds
    try:
        watch.finish(stopped_by=stopped_by)
        measured |= _at_the_end(prepared, watch, stopped_by=stopped_by)
    except USER_STOPS as error:
        if stopped_by != "diverged":  # NaN outputs are refused by some losses: the divergence is the result
            return fail(prepared, watch, measured, error)
    if stopped_by == "diverged" and watch.bad_batch is not None and not users:
        bad_update = watch.bad_batch // prepared.spec.accumulate_batches
        measured["first_non_finite"] = non_finite.find(prepared.workload, prepared, updates=bad_update)
    elif watch.initial_loss is not None and watch.initial_loss != watch.initial_loss:  # NaN
        measured["first_non_finite"] = non_finite.find(prepared.workload, prepared, updates=0)
    return _result(prepared, watch, measured, stopped_by=stopped_by)


def fail(prepared: Prepared, watch: Watch, measured: dict[str, Any], error: BaseException) -> TrialResult:
    """Make the result of a trial that the user's code ended; our own failures propagate."""
    if is_ours(error):
        raise error
    measured.setdefault("seconds", watch.seconds)
    return _result(prepared, watch, measured, stopped_by="error", error=error)


def _run(prepared: Prepared, watch: Watch, *, users: bool, measured: dict[str, Any]) -> StoppedBy:
    try:
        if users:
            measured["user_metrics"] = user_loop.train(prepared, watch)
        else:
            train(prepared, watch)
        watch.flush()
    except Stop as stop:
        return stop.by
    return "length"


def train(prepared: Prepared, watch: Watch) -> None:
    """Train with the reference loop until the watch says stop (it raises Stop)."""
    model, optimizer, workload = prepared.model, prepared.optimizer, prepared.workload
    split, scaler, autocast = prepared.train, prepared.scaler, prepared.autocast
    accumulate, clip = prepared.spec.accumulate_batches, prepared.spec.gradient_clip_norm
    plain = prepared.spec.precision == "float32"
    on_host = split.device_of_rows().type == "cpu"
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    frozen = _frozen_groups(optimizer)
    closure_wanted = isinstance(optimizer, torch.optim.LBFGS)
    instruments = watch.instruments
    optimizer.zero_grad(set_to_none=True)
    for epoch in itertools.count():
        _freeze(frozen, epoch)
        batches = iter(split.batches(seed=prepared.trial.seed, epoch=epoch))
        batch = next(batches, None)
        accumulated = 0
        while batch is not None:
            if on_host:
                batch = workload.to_device(batch)
            if closure_wanted:
                _closure_step(prepared, watch, batch)
                batch = next(batches, None)
                watch.after_update()
                continue
            if plain:
                loss = workload.loss(model, batch)
            else:
                with autocast():
                    loss = workload.loss(model, batch)
            watch.batch_loss(loss)
            share = loss if accumulate == 1 else loss / accumulate
            torch.autograd.backward(share if scaler is None else scaler.scale(share))
            accumulated += 1
            batch = next(batches, None)
            if accumulated < accumulate and batch is not None:
                continue
            accumulated = 0
            if scaler is not None and (clip is not None or instruments is not None):
                scaler.unscale_(optimizer)
            norm = None
            if clip is not None:
                norm = nn.utils.clip_grad_norm_(parameters, clip)
            if instruments is not None:
                watch.norms.append(instruments.gradient_norm(norm))
                instruments.before_step(watch.updates)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
                scaler.update()
            if instruments is not None:
                instruments.after_step(watch.updates)
            optimizer.zero_grad(set_to_none=True)
            watch.after_update()
        watch.after_epoch()


def _closure_step(prepared: Prepared, watch: Watch, batch: Any) -> None:
    """Make one step of an optimizer that asks for the loss itself (LBFGS)."""
    first = True

    def closure() -> Tensor:
        nonlocal first
        prepared.optimizer.zero_grad(set_to_none=True)
        with prepared.autocast():
            loss = prepared.workload.loss(prepared.model, batch)
        torch.autograd.backward(loss)
        if first:
            watch.batch_loss(loss)
            first = False
        return loss

    prepared.optimizer.step(closure)  # type: ignore[arg-type]  # a tensor, as torch's own examples return


def _frozen_groups(optimizer: torch.optim.Optimizer) -> list[tuple[int, list[Tensor]]]:
    """List the groups that are frozen at first: for how many epochs, and their trainable parameters."""
    return [
        (group["frozen_epochs"], [parameter for parameter in group["params"] if parameter.requires_grad])
        for group in optimizer.param_groups
        if group.get("frozen_epochs", 0) > 0
    ]


def _freeze(groups: list[tuple[int, list[Tensor]]], epoch: int) -> None:
    for epochs, parameters in groups:
        for parameter in parameters:
            parameter.requires_grad_(epoch >= epochs)


def _at_the_end(prepared: Prepared, watch: Watch, *, stopped_by: StoppedBy) -> dict[str, Any]:
    """Measure what the finished model tells; of the user's real run also by class, BatchNorm, noise, outliers."""
    workload, model = prepared.workload, prepared.model
    if prepared.trial.only_validated:
        return {}
    found: dict[str, Any] = {"weight_norm_end": weight_norm(model)}
    scores = watch.last_validation
    if not prepared.trial.scheduled or scores is None or prepared.trial.evaluations == 0 or stopped_by == "diverged":
        return found
    with watch.evaluated_weights(), prepared.autocast():
        norms = evaluation.batch_norm_losses(workload, model, prepared.train)
        found["evaluation_noise"] = evaluation.evaluation_noise(workload, model, known=scores.loss)
    if norms is not None:
        found["train_mode_loss"] = norms.train_mode
        found["eval_mode_loss"] = norms.eval_mode
        found["recalibrated_loss"] = norms.recalibrated
    classes = evaluation.by_class(workload, scores)
    if classes is not None:
        found["prediction_counts"] = classes.prediction_counts
        found["recalls"] = classes.recalls
        found["confusion"] = classes.confusion
    if workload.task is Task.REGRESSION:
        found["outlier_loss_share"] = evaluation.outlier_share(scores.kept)
    return found


def _result(
    prepared: Prepared,
    watch: Watch,
    measured: dict[str, Any],
    *,
    stopped_by: StoppedBy,
    error: BaseException | None = None,
) -> TrialResult:
    losses, stride = watch.curve()
    norms, norm_every = watch.gradient_norms()
    small = prepared.small
    if error is not None:
        outcome = outcome_of(error)
    else:
        outcome = Outcome.DIVERGED if stopped_by == "diverged" else Outcome.COMPLETED
    final_loss, final_metric = _final(watch)
    device = prepared.workload.device
    cuda = device.type == "cuda"
    measured["peak_memory_mb"] = torch.cuda.max_memory_allocated(device) / 2**20 if cuda else memory.peak_mb()
    return TrialResult(
        outcome=outcome,
        error=user_error(error) if error is not None else None,
        stopped_by=stopped_by,
        updates=watch.updates,
        rows_used=prepared.train.rows,
        batches_per_epoch=prepared.train.batches_per_epoch(),
        initial_loss=watch.initial_loss,
        losses=losses,
        stride=stride,
        gradient_norms=norms,
        gradient_norm_every=norm_every,
        evaluations=tuple(watch.evaluations),
        final_loss=final_loss,
        final_metric=final_metric,
        layers=watch.instruments.traces() if watch.instruments is not None else (),
        floor=small.floor if small is not None else None,
        floor_because=small.floor_because if small is not None else "",
        metric_ceiling=small.metric_ceiling if small is not None else None,
        contradictions=small.contradictions if small is not None else 0,
        **measured,
    )


def _final(watch: Watch) -> tuple[float | None, float | None]:
    """Return loss and metric on the rows trained on: all of a small set, else the evaluated subset."""
    if watch.small_scores is not None:
        return watch.small_scores.loss, watch.small_scores.metric
    if watch.evaluations:
        return watch.evaluations[-1].train_loss, watch.evaluations[-1].train_metric
    return None, None


def unprepared(error: BaseException, *, seconds: float) -> TrialResult:
    """Make the result of a trial that could not even be prepared; our own failures propagate."""
    if isinstance(error, SpecError):
        told = UserError(kind="SpecError", message=str(error), traceback="")
        return TrialResult(outcome=Outcome.USER_ERROR, error=told, stopped_by="error", seconds=seconds)
    if is_ours(error):
        raise error
    return TrialResult(outcome=outcome_of(error), error=user_error(error), stopped_by="error", seconds=seconds)
