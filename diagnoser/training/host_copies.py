"""How often does a piece of code read a tensor on the host, and how long does it wait for that?

Covers: `item`, `float`, `int`, `bool` and `if` on a tensor, `cpu`, `to` and `copy_` to the host, `tolist` and `print`
of what lies on an accelerator, and `nonzero`, `equal` and masks there, whose answer has a length that the host must
know.
Does not cover: what torch waits for inside one operation of its own; `numpy` and `tolist` of a tensor that lies on the
host; code that torch has compiled. What an optimizer does in its own `step` is torch's affair and not counted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from diagnoser.records import Record
from diagnoser.training.failures import USER_STOPS, is_ours

_READ = torch.ops.aten._local_scalar_dense.default  # noqa: SLF001  what `item` becomes
_COPY = torch.ops.aten._to_copy.default  # noqa: SLF001  what `to` becomes
_COPY_INTO = torch.ops.aten.copy_.default
_ANSWER_ON_HOST = (torch.ops.aten.nonzero.default, torch.ops.aten.equal.default)


class HostCopies(Record):
    """What was seen of one piece of code."""

    per_step: float
    waiting_share: float | None  # of its time; None: a CPU, where nothing waits


def watch(run: Callable[[], None], optimizer: Optimizer, *, device: torch.device) -> HostCopies | None:
    """Run it and count; None when it makes no step, or cannot run under this instrument: it did without."""
    counter = _Counter(device)
    with _steps_counted(optimizer, counter):
        _wait(device)
        started = time.perf_counter()
        try:
            with counter:
                run()
        except USER_STOPS as error:
            if is_ours(error):
                raise
            return None
        _wait(device)
        total = time.perf_counter() - started
    if not counter.steps:
        return None
    share = counter.seconds / total if device.type != "cpu" and total > 0 else None
    return HostCopies(per_step=counter.copies / counter.steps, waiting_share=share)


class _Counter(TorchDispatchMode):
    """Sees each operation of torch on its way, and times those that end on the host."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self.copies, self.steps, self.seconds = 0, 0, 0.0
        self.stepping = False
        self._device = device

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        if self.stepping or not reads_on_host(func, args, options, device=self._device):
            return func(*args, **options)
        started = time.perf_counter()
        try:
            return func(*args, **options)
        finally:
            self.copies += 1
            self.seconds += time.perf_counter() - started


def reads_on_host(func: Any, args: tuple[Any, ...], options: dict[str, Any], *, device: torch.device) -> bool:
    """Whether this operation brings something from the device to the host; on a CPU, whether it reads one number."""
    given = [arg for arg in args if isinstance(arg, Tensor)]
    if func is _READ:
        return given[0].device.type == device.type
    if device.type == "cpu" or not given:
        return False
    if func is _COPY:
        to = options.get("device")
        return given[0].device.type == device.type and to is not None and torch.device(to).type == "cpu"
    if func is _COPY_INTO:
        return len(given) > 1 and given[0].device.type == "cpu" and given[1].device.type == device.type
    return func in _ANSWER_ON_HOST and given[0].device.type == device.type


@contextmanager
def _steps_counted(optimizer: Optimizer, counter: _Counter) -> Iterator[None]:
    def begins(*_: Any) -> None:
        counter.stepping = True

    def ends(*_: Any) -> None:
        counter.stepping = False
        counter.steps += 1

    handles = (optimizer.register_step_pre_hook(begins), optimizer.register_step_post_hook(ends))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
