"""Can the same be asked in float64? Batches and the default type, for questions that float32 would blur."""

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
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


class Promoting(TorchFunctionMode):
    """Raises float32 tensors to float64 where they meet one: what a loss or forward holds as a constant of its own.

    Does not cover: writing into a float32 tensor in place.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kinds = {tensor.dtype for tensor in tensors([args, kwargs])}
        if {torch.float32, torch.float64} <= kinds:
            args, kwargs = as_double(args), as_double(kwargs)
        return func(*args, **kwargs)


@contextmanager
def default_double() -> Iterator[None]:
    """Let a forward that makes tensors of its own make them in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
