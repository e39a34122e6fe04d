"""Can the same be asked in float64? Batches and the default type, for questions that float32 would blur."""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from diagnoser.training.batches import map_tensors, tensors
from diagnoser.training.workload import Workload


def as_double(batch: Any) -> Any:
    """Turn every real tensor of a batch into float64."""
    return map_tensors(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor, batch)


def with_double_loss(workload: Workload) -> Workload:
    """Turn the tensors that a loss holds (class weights) into float64; the user's own object stays as it is."""
    if workload.loss_function is None:
        return workload
    function = workload.loss_function.function
    if isinstance(function, nn.Module):
        function = copy.deepcopy(function).double()
    elif isinstance(function, functools.partial):
        function = functools.partial(function.func, *as_double(function.args), **as_double(function.keywords))
    return replace(workload, loss_function=replace(workload.loss_function, function=function))


SHORTER = (torch.float32, torch.bfloat16, torch.float16)


class Promoting(TorchFunctionMode):
    """Keeps a forward in float64: constants in float32 are raised where they meet it, casts to float32 are not done.

    Does not cover: writing into a float32 tensor in place, and casts to shorter types, which are noted in `shorter`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shorter: torch.dtype | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = {name: _longer(value) for name, value in (kwargs or {}).items()}
        args = tuple(_longer(value) for value in args)
        if func is torch.Tensor.float:
            return args[0].double()
        kinds = {tensor.dtype for tensor in tensors([args, kwargs])}
        if {torch.float32, torch.float64} <= kinds:
            args, kwargs = as_double(args), as_double(kwargs)
        result = func(*args, **kwargs)
        if torch.float64 in kinds and isinstance(result, Tensor) and result.dtype in SHORTER:
            self.shorter = result.dtype
        return result


def _longer(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def default_double() -> Iterator[None]:
    """Let a forward that makes tensors of its own make them in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
