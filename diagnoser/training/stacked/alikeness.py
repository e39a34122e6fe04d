"""Are these models one program, differing in nothing but the values of their parameters and buffers?

A stack runs the forward of one model, a deep copy of the first, with the tensors of all. So whatever that forward reads
besides must be the same in every model: a random projection that is kept as a plain attribute, drawn anew under each
seed, must not.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from diagnoser.training.stacked.comparing import Comparison
from diagnoser.training.stacked.unstackable import Unstackable

_WRAPPED = ("torch._dynamo.", "torch.nn.parallel.", "torch.distributed.", "torch.fx.", "torch.jit.", "torch.ao.")
_PLAIN = (Tensor, nn.Parameter)
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def require_alike(models: Sequence[nn.Module]) -> None:
    """Raise Unstackable, with the reason, unless the models differ in the values of parameters and buffers only.

    Covers: names, order, shapes, types, devices and `requires_grad` of parameters and buffers; which of them are one
    tensor or share memory; types of modules, their training flags, hooks and all other attributes; kinds of tensors
    and modules that cannot be stacked at all. Runs no code of the user's but `==`. Does not cover: what the forward
    reads from elsewhere (globals of the program, files), and what an object keeps in C and leaves out of its `==`.
    """
    tensors = [_tensors(model) for model in models]
    of: dict[int, int] = {}
    for index, found in enumerate(tensors):
        for key, (name, _) in found.items():
            if of.setdefault(key, index) != index:
                raise Unstackable(f"{name} is one tensor in several trials")
    for model, found in zip(models, tensors, strict=True):
        _require_stackable(model, found)
    for other, found in zip(models[1:], tensors[1:], strict=True):
        try:
            Comparison(tensors[0], found).modules(models[0], other)
        except RecursionError as error:
            raise Unstackable("the model's attributes are nested too deeply to be compared") from error


def _tensors(model: nn.Module) -> dict[int, tuple[str, Tensor]]:
    """Find the model's parameters and buffers by their identity."""
    found: dict[int, tuple[str, Tensor]] = {}
    for named in (model.named_parameters(), model.named_buffers()):
        for name, tensor in named:
            found.setdefault(id(tensor), (name, tensor))
    return found


def _require_stackable(model: nn.Module, tensors: dict[int, tuple[str, Tensor]]) -> None:
    for name, module in model.named_modules():
        kind, called = type(module), name or "the model"
        if kind.__module__.startswith(_WRAPPED) or vars(module).get("_compiled_call_impl") is not None:
            raise Unstackable(f"{called} is compiled or wrapped by torch ({kind.__name__})")
        if isinstance(module, nn.RNNBase):
            raise Unstackable(f"{called} is a recurrent layer ({kind.__name__}), which torch cannot batch over models")
    memory: dict[int, str] = {}  # of parameters: constants that lie in one piece of memory stay what they are
    for name, tensor in tensors.values():
        _require_plain(name, tensor)
        if tensor.numel():
            place = tensor.untyped_storage().data_ptr()
            if place in memory:
                raise Unstackable(f"{memory[place]} and {name} share memory and are not one tensor")
            if isinstance(tensor, nn.Parameter):
                memory[place] = name


def _require_plain(name: str, tensor: Tensor) -> None:
    if is_lazy(tensor):
        raise Unstackable(f"{name} has no shape before the first batch (a lazy module)")
    if type(tensor) not in _PLAIN or tensor.is_meta or tensor.is_nested:
        raise Unstackable(f"{name} is no plain tensor ({type(tensor).__name__}, {tensor.device})")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex():
        raise Unstackable(f"{name} is a sparse, quantised or complex tensor")
    last = _CHANNELS_LAST.get(tensor.ndim)
    if last is not None and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=last):
        # Lone activations would lie in this order too, and masks be drawn in it.
        raise Unstackable(f"{name} is laid out channels last, which a stack does not keep")
    if tensor.grad_fn is not None:
        raise Unstackable(f"{name} is computed from other tensors once and for all")
    if tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None):  # noqa: SLF001  # no other way
        raise Unstackable(f"{name} has a gradient hook")
