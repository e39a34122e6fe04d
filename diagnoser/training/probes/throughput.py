"""Would this device do more in a second with another batch size, or another precision? Asked of accelerators alone.

What is looked at and when it is enough is decided in `look`, to which the clock is given: a function that times one
step. What a step is, and that it fits, is the timer's business.

Covers: one update of the reference loop on one batch that lies on the device and is replayed.
Does not cover: waiting for data, evaluation, a user's own loop, `torch.compile`.
"""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import nn

from diagnoser.evidence.batch_size import Speed, Throughput
from diagnoser.training.failures import USER_STOPS, is_ours
from diagnoser.training.workload import Workload

Precision = Literal["float32", "bfloat16", "float16"]
Timer = Callable[[int, Precision], float | None]
"""Seconds of one step with that many rows in that precision; None: it does not fit, or the model has no such step."""
Step = Callable[[], None]
Build = Callable[[int, Precision], Step]

ROUNDS = 3  # sizes take turns, so that a device that slows down slows them all
BLOCK = 16  # rows: half precision is multiplied in blocks of 8 or 16
MOST_DOUBLINGS = 6
LEAST_GAIN = 0.10  # CATALOGUE, device-under-filled: no larger size is tried once this much is no longer gained
TENSOR_CORES_SINCE = 7  # compute capability: Volta
WARM_UP, MOST_TIMED = 3, 20  # steps
ENOUGH = 0.2  # seconds of steps: a device is told of a step in some 10 µs, and synchronised once


def on_accelerator(device: torch.device) -> bool:
    """Whether the question arises."""
    return device.type != "cpu"


def has_tensor_cores(device: torch.device) -> bool:
    """Whether half precision is multiplied by units of its own."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= TENSOR_CORES_SINCE


def measure(workload: Workload, build: Build, *, seed: int, seconds: float) -> Throughput | None:
    """Look at other sizes and precisions; None on a CPU, and where a step as given cannot be timed.

    `build` prepares a step of one size and precision, and raises where memory does not suffice.
    """
    if not on_accelerator(workload.device):
        return None
    found = look(
        functools.partial(timed, build, workload.device),
        batch_size=workload.train.batch_size,
        precision=workload.spec.precision,
        rows=workload.train.rows,
        until=time.perf_counter() + seconds,
    )
    if found is None:
        return None
    double = float64_share(workload.build_model(seed=seed))
    return found.model_copy(update={"tensor_cores": has_tensor_cores(workload.device), "float64_share": double})


def look(
    timer: Timer,
    *,
    batch_size: int,
    precision: Precision,
    rows: int,
    until: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Throughput | None:
    """Time the batch as given beside others, a round at a time; None where the one as given cannot be timed."""
    first = timer(batch_size, precision)
    if first is None:
        return None
    wanted = _wanted(
        timer, batch_size=batch_size, precision=precision, rows=rows, first=first, until=until, clock=clock
    )
    kept: dict[tuple[int, Precision], list[float]] = {(batch_size, precision): [first]}
    for size, kind, seconds in wanted:
        kept[size, kind] = [] if seconds is None else [seconds]
    for _ in range(ROUNDS - 1):
        if clock() > until:
            break
        for (size, kind), times in kept.items():
            if times and (again := timer(size, kind)) is not None:
                times.append(again)
    speeds = {key: Speed(batch_size=key[0], precision=key[1], seconds=tuple(times)) for key, times in kept.items()}
    doubled = (batch_size * 2**power for power in range(1, MOST_DOUBLINGS + 1))
    block = nearest_multiple(batch_size)
    return Throughput(
        as_given=speeds[batch_size, precision],
        larger=tuple(speeds[size, precision] for size in doubled if (size, precision) in speeds),
        multiple_of_16=speeds.get((block, precision)) if block != batch_size else None,
        bfloat16=speeds.get((batch_size, "bfloat16")) if precision == "float32" else None,
    )


def nearest_multiple(batch_size: int) -> int:
    """Return the multiple of 16 that is nearest, never 0; of two as near the larger."""
    return max(BLOCK, (2 * batch_size + BLOCK) // (2 * BLOCK) * BLOCK)


def _wanted(
    timer: Timer,
    *,
    batch_size: int,
    precision: Precision,
    rows: int,
    first: float,
    until: float,
    clock: Callable[[], float],
) -> Iterator[tuple[int, Precision, float | None]]:
    """Time each question once: the cheap ones first, then larger and larger batches while they pay."""
    block = nearest_multiple(batch_size)
    if batch_size % BLOCK and block <= rows and clock() <= until:
        yield block, precision, timer(block, precision)
    if precision == "float32" and clock() <= until:
        yield batch_size, "bfloat16", timer(batch_size, "bfloat16")
    before = batch_size / first
    for power in range(1, MOST_DOUBLINGS + 1):
        size = batch_size * 2**power
        if size > rows or clock() > until:
            return
        seconds = timer(size, precision)
        yield size, precision, seconds
        if seconds is None or size / seconds < (1 + LEAST_GAIN) * before:
            return
        before = size / seconds


def timed(build: Build, device: torch.device, size: int, precision: Precision) -> float | None:
    """Return the seconds of a step; None where it does not fit, or the user's model takes no such batch."""
    try:
        step = build(size, precision)
        for _ in range(WARM_UP):
            step()
        one = _seconds(step, device, times=1)
        return _seconds(step, device, times=max(1, min(MOST_TIMED, int(ENOUGH / max(one, 1e-9)))))
    except USER_STOPS as error:
        if is_ours(error):
            raise
        return None
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def float64_share(model: nn.Module) -> float:
    """Share of the weights that are float64."""
    weights = list(model.parameters())
    count = sum(weight.numel() for weight in weights)
    return sum(weight.numel() for weight in weights if weight.dtype == torch.float64) / count if count else 0.0


def _seconds(step: Step, device: torch.device, *, times: int) -> float:
    wait(device)
    started = time.perf_counter()
    for _ in range(times):
        step()
    wait(device)
    return (time.perf_counter() - started) / times


def wait(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
