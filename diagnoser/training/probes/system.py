"""What does a step cost here: in time, in waiting for data, in memory, and would another batch size do more?"""

import functools
import itertools
import resource
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from diagnoser.evidence.preflight import SystemProfile
from diagnoser.records import JsonValue
from diagnoser.training.batches import length
from diagnoser.training.evaluation import LARGEST_VALIDATION
from diagnoser.training.failures import USER_STOPS, is_ours, is_out_of_memory
from diagnoser.training.memory import Kept, available_bytes
from diagnoser.training.modes import batch_statistics, eval_mode
from diagnoser.training.preparation import Prepared, prepare
from diagnoser.training.probes import throughput
from diagnoser.training.probes.throughput import wait
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe, Trial

WARM_UP = 2  # updates: allocators, kernels and caches are filled
TIMED = 5  # updates at least; the median of five is not moved by two slow ones
MOST_TIMED = 20
EVALUATED = 8  # batches, from which the time of all is told
DEFAULT_SECONDS = 20.0
MEGABYTE = 2**20
_FREE_SHARE = 0.5  # of the free memory for a batch: the allocator and the other processes want room


def measure(workload: Workload, probe: Probe) -> SystemProfile:
    """Time some updates with fresh batches, and with one batch again and again."""
    seconds = probe.max_seconds or DEFAULT_SECONDS
    free = available_bytes(workload.device)
    size = workload.train.batch_size
    fits = _largest_that_fits(workload, size, seed=probe.seed)
    if fits == 0:
        raise Unsupported("not even one row fits into memory with the model and the optimizer's state")
    changes: dict[str, JsonValue] = {} if fits is None else {"data.batch_size": fits}
    started = time.perf_counter()
    prepared = prepare(workload, Trial(seed=probe.seed, changes=changes))
    wait(workload.device)
    building = time.perf_counter() - started
    waits, works, batch = _timed(prepared, _stream(prepared), seconds / 3)
    _, again, _ = _timed(prepared, itertools.repeat(batch), seconds / 3)
    each = [wait + work for wait, work in zip(waits, works, strict=True)]
    step, cached = statistics.median(each), statistics.median(again)
    return SystemProfile(
        device=str(workload.device),
        seconds_per_update=step * workload.spec.accumulate_batches,
        seconds_per_evaluation=_evaluation(prepared),
        seconds_to_build=building,
        data_share=sum(waits) / sum(each) if sum(each) > 0 else 0.0,
        cached_speedup=step / cached if cached > 0 else None,
        memory_mb=_used(workload.device),
        memory_available_mb=None if free is None else free / MEGABYTE,
        largest_batch=fits,
        rows_that_fit=_rows_that_fit(prepared, free=free),
        batch_in_memory=workload.train.in_memory,
        throughput=throughput.measure(workload, step_of(workload, probe.seed), seed=probe.seed, seconds=seconds / 3),
    )


def step_of(workload: Workload, seed: int) -> throughput.Build:
    """Say how a step of another size or precision is made: on its first batch, replayed."""

    def build(size: int, precision: throughput.Precision) -> throughput.Step:
        given: dict[str, JsonValue] = {
            "data.batch_size": workload.train.batch_size,
            "precision": workload.spec.precision,
        }
        asked: dict[str, JsonValue] = {"data.batch_size": size, "precision": precision}
        changes = {key: value for key, value in asked.items() if value != given[key]}
        prepared = prepare(workload, Trial(seed=seed, changes=changes))
        batch = prepared.workload.to_device(next(iter(_stream(prepared))))
        return functools.partial(_step, prepared, batch)

    return build


def _step(prepared: Prepared, batch: Any) -> None:
    """Make one update as the reference loop does, of one batch."""
    optimizer = prepared.optimizer

    def closure() -> Tensor:
        optimizer.zero_grad()
        with prepared.autocast():
            loss = prepared.workload.loss(prepared.model, batch)
        if loss.requires_grad:
            (loss if prepared.scaler is None else prepared.scaler.scale(loss)).backward()
        return loss

    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step(closure)
    elif closure().requires_grad:
        if prepared.scaler is None:
            optimizer.step()
        else:
            prepared.scaler.step(optimizer)
            prepared.scaler.update()


def _stream(prepared: Prepared) -> Iterator[Any]:
    """Yield batches as training gets them, epoch after epoch."""
    for epoch in itertools.count():
        yield from prepared.train.batches(seed=prepared.trial.seed, epoch=epoch)


def _timed(prepared: Prepared, batches: Iterator[Any], seconds: float) -> tuple[list[float], list[float], Any]:
    """Return the seconds spent waiting for each batch and working on it, warm-up left out, and the last batch."""
    device, workload = prepared.workload.device, prepared.workload
    waits: list[float] = []
    works: list[float] = []
    batch: Any = None
    end = time.perf_counter() + seconds
    for done in range(WARM_UP + MOST_TIMED):
        asked = time.perf_counter()
        batch = workload.to_device(next(batches))
        wait(device)
        got = time.perf_counter()
        _step(prepared, batch)
        wait(device)
        worked = time.perf_counter()
        late = worked > end
        if done >= WARM_UP or late:  # a step that takes all the time there is counts as measured
            waits.append(got - asked)
            works.append(worked - got)
        if late or (len(works) >= TIMED and worked > end - seconds / 2):
            break
    return waits, works, batch


def _evaluation(prepared: Prepared) -> float:
    """Tell the time of validation and as many training rows, from a few passes over validation rows."""
    workload = prepared.workload
    split, size = workload.validation, workload.evaluation_rows(workload.validation)
    times: list[float] = []
    rows = 0
    with eval_mode(prepared.model), torch.no_grad(), prepared.autocast():
        for batch in split.batches(seed=0, epoch=0, batch_size=size, shuffle=False):
            started = time.perf_counter()
            workload.loss(prepared.model, workload.to_device(batch))
            wait(workload.device)
            times.append(time.perf_counter() - started)
            rows += length(batch)
            if len(times) >= EVALUATED:
                break
    return 2 * sum(times) * min(split.rows, LARGEST_VALIDATION) / max(rows, 1)


def _largest_that_fits(workload: Workload, size: int, *, seed: int) -> int | None:
    """Return None when the spec's batch size fits; else the largest half, quarter, ... of it that does; 0: none."""
    tried = size
    while not _fits(workload, tried, given=size, seed=seed):
        if tried <= 1:
            return 0
        tried //= 2
    return None if tried == size else tried


def _fits(workload: Workload, size: int, *, given: int, seed: int) -> bool:
    try:
        _try_size(workload, {} if size == given else {"data.batch_size": size}, seed=seed)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    else:
        return True
    finally:
        if workload.device.type == "cuda":
            torch.cuda.empty_cache()


def _try_size(workload: Workload, changes: dict[str, JsonValue], *, seed: int) -> None:
    """Make two updates, so that the optimizer's state is there too. Raises when memory does not suffice."""
    prepared = prepare(workload, Trial(seed=seed, changes=changes))
    batch = workload.to_device(next(iter(_stream(prepared))))
    for _ in range(2):
        _step(prepared, batch)
    wait(workload.device)


def _used(device: torch.device) -> float:
    """Return the peak of memory in use: of the device, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def _rows_that_fit(prepared: Prepared, *, free: int | None) -> int | None:
    """Tell how many rows a batch could have, without trying: from what autograd keeps of a batch and of half of it.

    What a step needs grows evenly with its rows. The backward pass holds a gradient beside most of what was kept, so
    each row counts twice, and half of the free memory stays free.
    """
    split, size = prepared.train, min(prepared.train.batch_size, prepared.train.rows)
    if free is None or size < 2:
        return None
    try:
        half, whole = _kept(prepared, size // 2), _kept(prepared, size)
    except USER_STOPS as error:
        if is_ours(error):
            raise
        return None  # a model for batches of one size alone
    per_row = 2 * (whole - half) / (size - size // 2)
    if per_row <= 0:
        return None
    return max(1, min(split.rows, int(_FREE_SHARE * free / per_row)))


def _kept(prepared: Prepared, rows: int) -> int:
    """Count the bytes that autograd keeps of a batch of the first rows."""
    split = prepared.train
    batch = prepared.workload.to_device(split.take(torch.arange(rows, device=split.device_of_rows())))
    counted = Kept()
    with forked(0), counted, prepared.autocast(), batch_statistics(prepared.model):
        prepared.workload.loss(prepared.model, batch)
    return counted.bytes
