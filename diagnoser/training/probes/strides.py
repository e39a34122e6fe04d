"""Where do the maps of pictures become smaller: which convolutions and poolings have a stride, in forward order?

Functions are seen through a TorchFunctionMode, those of torch's modules included.
Does not cover: slices, fixed resizing, compiled and scripted models.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from diagnoser.evidence.preflight import StridedLayer
from diagnoser.training.probes.bench import UnanswerableError, fresh
from diagnoser.training.probes.functions import plain_name
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

FIRST = 4  # layers with a stride that are told
PATCH = 4  # a convolution whose kernel and stride are so large and equal cuts patches
STRIDE_AT = {"conv2d": 3, "max_pool2d": 2, "avg_pool2d": 2, "max_pool2d_with_indices": 2}  # among the arguments
KERNEL_AT = 1  # of the poolings; a convolution has its weight there


class _Strides(TorchFunctionMode):
    def __init__(self, path: Callable[[], str]) -> None:
        super().__init__()
        self.found: list[StridedLayer] = []
        self._path = path

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = plain_name(func)
        made = result[0] if isinstance(result, tuple) and result else result
        if name in STRIDE_AT and isinstance(made, Tensor) and made.ndim == 4 and len(self.found) < FIRST:
            self._note(name, args, kwargs, made)
        return result

    def _note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], made: Tensor) -> None:
        given = args[0] if args else kwargs["input"]
        window = args[KERNEL_AT] if len(args) > KERNEL_AT else kwargs.get("weight", kwargs.get("kernel_size"))
        kernel = max(window.shape[2:]) if isinstance(window, Tensor) else _largest(window)
        place = STRIDE_AT[name]
        stated = args[place] if len(args) > place else kwargs.get("stride")
        pools = name != "conv2d"
        stride = kernel if pools and (stated is None or stated == []) else 1 if stated is None else _largest(stated)
        before, after = max(given.shape[-2:]), max(made.shape[-2:])
        if stride < 2 or (pools and after <= 1):  # the second: pooling over everything, at the end
            return
        self.found.append(
            StridedLayer(
                path=self._path(),
                operation=name,
                stride=stride,
                side_before=before,
                side_after=after,
                cuts_patches=not pools and kernel == stride >= PATCH,
            )
        )


def strided(workload: Workload, model: nn.Module, batch: Any) -> tuple[StridedLayer, ...]:
    """List the first layers with a stride, for a model of our own; nothing for inputs that are no pictures."""
    if workload.layout is None or workload.layout.first_input(batch).ndim != 4:
        return ()
    model.eval()
    stack: list[str] = []
    handles: list[RemovableHandle] = []

    def enter(path: str) -> Callable[..., None]:
        return lambda *_: stack.append(path)

    def leave(*_: object) -> None:
        stack.pop()

    for path, module in model.named_modules():
        if not isinstance(module, torch.jit.ScriptModule):  # they refuse hooks
            handles.append(module.register_forward_pre_hook(enter(path)))
            handles.append(module.register_forward_hook(leave))
    try:
        with torch.no_grad(), forked(0), _Strides(lambda: stack[-1] if stack else "") as seen:
            if workload.output(model, fresh(batch)) is None:
                raise UnanswerableError("only the step knows how the model is called")
    finally:
        for handle in handles:
            handle.remove()
    return tuple(seen.found)


def _largest(size: Any) -> int:
    return int(size) if isinstance(size, int) else max(int(one) for one in size)
