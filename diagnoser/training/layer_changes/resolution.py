"""How soon are pictures made smaller?"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from diagnoser.training.call_trace import replace_module
from diagnoser.training.modes import batch_statistics
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_POOLINGS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.LPPool1d, nn.LPPool2d,
)  # fmt: skip
_PATCH = 4  # a convolution whose kernel and stride are so large and equal cuts patches


def full_resolution(model: nn.Module, workload: Workload) -> None:
    """Give the first convolution with a stride a stride of 1, or take the first pooling out.

    What else with a stride reads the same map is changed with it: the short cut of a residual block.
    """
    found = _strided(model, workload)
    if not found:
        raise Unsupported("no convolution or pooling layer has a stride")
    first = found[0][1]
    for module in {module for module, given in found if given is first}:
        if module is None:
            raise Unsupported("the first pooling is a function in a forward, which stays as it is written")
        if isinstance(module, _POOLINGS):
            replace_module(model, module, nn.Identity())
        elif _cuts_patches(module):
            raise Unsupported("the first layer with a stride cuts the picture into patches")
        else:
            vars(module)["stride"] = tuple(1 for _ in _sides(module.stride))
    try:
        with batch_statistics(model), torch.no_grad(), forked(0):
            workload.loss(model, workload.to_device(workload.train.head(2)))
    except (RuntimeError, ValueError, IndexError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise Unsupported(f"what stands behind wants the smaller maps: {reason}") from error


class _Shrinking(TorchFunctionMode):
    """Notes convolutions and poolings with a stride in the order of their calls, and what they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[nn.Module | None, Tensor]] = []  # None: a function in a forward of the user's
        self._inside = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if not self._inside and "pool" in name and "adaptive" not in name and args and isinstance(args[0], Tensor):
            self.found.append((None, args[0]))
        return func(*args, **(kwargs or {}))

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._inside += 1
        stride: Any = getattr(module, "stride", None) or module.kernel_size  # LPPool keeps None for its kernel
        if args and isinstance(args[0], Tensor) and max(_sides(stride)) > 1:
            self.found.append((module, args[0]))

    def leave(self, *_: Any) -> None:
        self._inside -= 1


def _strided(model: nn.Module, workload: Workload) -> list[tuple[nn.Module | None, Tensor]]:
    seen, kinds = _Shrinking(), (*_CONVOLUTIONS, *_POOLINGS)
    handles = [
        handle
        for module in model.modules()
        if isinstance(module, kinds)
        for handle in (module.register_forward_pre_hook(seen.enter), module.register_forward_hook(seen.leave))
    ]
    try:
        with batch_statistics(model), torch.no_grad(), forked(0), seen:
            workload.loss(model, workload.to_device(workload.train.head(2)))
    finally:
        for handle in handles:
            handle.remove()
    return seen.found


def _cuts_patches(module: nn.Module) -> bool:
    kernel, stride = _sides(module.kernel_size), _sides(module.stride)
    return max(kernel) == max(stride) >= _PATCH


def _sides(size: Any) -> tuple[int, ...]:
    return tuple(size) if isinstance(size, tuple | list) else (int(size),)
