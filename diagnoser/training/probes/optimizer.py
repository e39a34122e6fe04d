"""Which parameters does the optimizer move, with what settings, how does its lr go, and how noisy is its gradient?"""

import itertools
import math
import time
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.records import JsonValue
from diagnoser.training.failures import is_out_of_memory
from diagnoser.training.probes import gradient_noise
from diagnoser.training.probes.bench import DEFAULT_SECONDS, step, trainable
from diagnoser.training.probes.layers import rows_at_once
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

UPDATES = 2
POINTS = 100  # of the schedule
# A plain gradient step below this share of a weight is lost in float32's rounding: that is no forgotten parameter.
ROUNDED_AWAY = 1e-6


def measure(workload: Workload, probe: Probe) -> OptimizerProfile:
    """Measure a fresh optimizer over a fresh model. Raises what the user's factories raise."""
    end = time.monotonic() + (DEFAULT_SECONDS if probe.max_seconds is None else probe.max_seconds)
    model = workload.build_model(seed=probe.seed)
    optimizer = workload.build_optimizer(model)
    groups = getattr(optimizer, "param_groups", None)
    if not groups:
        raise Unsupported(f"{type(optimizer).__name__} has no param_groups")
    held = {id(weight) for group in groups for weight in group["params"]}
    own = {id(weight) for weight in model.parameters()}
    trained = trainable(model)
    missing = tuple(name for name, weight in trained.items() if id(weight) not in held)
    total = sum(weight.numel() for weight in trained.values())
    settings = {key: as_json(value) for key, value in groups[0].items() if key not in ("params", "param_names")}
    schedule, because = _schedule(workload, optimizer, end)
    unchanged, changed = _after_two_updates(workload, probe.seed)
    return OptimizerProfile(
        name=type(optimizer).__name__,
        settings=settings,
        missing=missing,
        missing_share=sum(trained[name].numel() for name in missing) / total if total else 0.0,
        foreign=len(held - own),
        unchanged=unchanged,
        moved_elsewhere=tuple(name for name in missing if name in changed),
        schedule=schedule,
        schedule_because=because,
        gradient_noise=gradient_noise.measure(workload, seed=probe.seed, seconds=max(1.0, end - time.monotonic())),
    )


def as_json(value: Any) -> JsonValue:
    """Write a setting as JSON: tensors of one number as numbers, what has no JSON form in its own words."""
    if isinstance(value, Tensor):
        return as_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    return str(value)[:200]


def _after_two_updates(workload: Workload, seed: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """Name parameters in a group that stayed equal although a gradient asked for a change; and all that changed."""
    model = workload.build_model(seed=seed)
    optimizer = workload.build_optimizer(model)
    rates = {id(weight): float(group.get("lr", 1.0)) for group in optimizer.param_groups for weight in group["params"]}
    before = {name: weight.detach().clone() for name, weight in trainable(model).items()}
    asked: set[str] = set()

    def look(model: nn.Module) -> None:
        for name, weight in trainable(model).items():
            if weight.grad is None or id(weight) not in rates:
                continue
            wish = rates[id(weight)] * weight.grad.to_dense().abs()
            if bool((wish > ROUNDED_AWAY * weight.detach().abs()).any()):
                asked.add(name)

    try:
        for batch in itertools.islice(
            workload.train.batches(seed=seed, epoch=0, batch_size=rows_at_once(workload)), UPDATES
        ):
            batch = workload.to_device(batch)

            def closure(batch: Any = batch) -> Tensor:
                optimizer.zero_grad()
                with forked(seed):
                    loss = workload.loss(model, batch)
                loss.backward()
                look(model)
                return loss

            step(optimizer, closure)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return (), frozenset()  # the loss has no gradient, or labels do not fit: the probes of model and loss say so
    after = dict(model.named_parameters())
    changed = frozenset(name for name in before if not torch.equal(before[name], after[name].detach()))
    return tuple(name for name in before if name in asked and name not in changed), changed


def _schedule(workload: Workload, optimizer: torch.optim.Optimizer, end: float) -> tuple[tuple[float, ...], str | None]:
    """Run the user's schedule dry: the lr of the first group at evenly spaced updates; nothing is trained."""
    if workload.spec.scheduler is None:
        return (), "the spec names no scheduler"
    total, per_epoch = workload.total_updates, workload.updates_per_epoch
    points = {number * (total - 1) // max(min(POINTS, total) - 1, 1) for number in range(min(POINTS, total))}
    rates: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "step() before optimizer.step()": on purpose
        try:
            scheduler = workload.build_scheduler(optimizer, total_updates=total, updates_per_epoch=per_epoch)
            assert scheduler is not None
            if scheduler.by_loss:
                return (), "this schedule follows the validation results of the run"
            for update in range(total):
                if update in points:
                    rates.append(float(optimizer.param_groups[0]["lr"]))
                    if time.monotonic() > end:
                        return (), "the run is too long for a dry run of its schedule"
                scheduler.after_update()
                if (update + 1) % per_epoch == 0:
                    scheduler.after_epoch()
        except Exception as error:  # noqa: BLE001 - the user's own schedule: a border
            return (), f"the schedule fails after {len(rates)} of {len(points)} looks: {type(error).__name__}: {error}"
    return tuple(rates), None
