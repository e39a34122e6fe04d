"""In which mode does a measurement look at a model? Every mode, buffer and gradient is put back as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
_ATTENTION_DROPOUT_AT = 4  # scaled_dot_product_attention(query, key, value, attn_mask, dropout_p)


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode, and every module back as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Eval mode, but BatchNorm normalises by the batch; its running statistics are restored.

    A BatchNorm that the factory left in eval mode stays there: it was frozen on purpose or by accident.
    """
    norms = [module for module in batch_norms(model) if module.training]
    kept = [(buffer, buffer.clone()) for module in norms for buffer in module.buffers(recurse=False)]
    with eval_mode(model):
        for module in norms:
            module.training = True
        try:
            yield
        finally:
            for buffer, value in kept:
                buffer.copy_(value)


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """List the BatchNorm modules."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def set_dropout(model: nn.Module, factor: float) -> int:
    """Multiply every dropout probability, also of attention and recurrent modules; count how many were above 0.

    Covers: Dropout modules, MultiheadAttention.dropout, the `dropout` of LSTM, GRU and RNN, and whatever keeps its
    probability in a float attribute called `dropout`. Does not cover: F.dropout with a number in the code, which
    `functional_dropout_off` switches off.
    """
    count = 0
    for module in model.modules():
        name = "p" if isinstance(module, _DropoutNd) else "dropout"
        value = getattr(module, name, None)
        if isinstance(value, float | int) and not isinstance(value, bool) and 0 < value <= 1:
            setattr(module, name, value * factor)
            count += 1
    return count


@contextmanager
def functional_dropout_off(*, when: bool = True) -> Iterator[None]:
    """Let the dropouts of torch.nn.functional do nothing, those inside attention too.

    Covers: code that finds them there when it calls them (`F.dropout`, torch's own modules). Does not cover: a name
    bound when the code was imported (`from torch.nn.functional import dropout`), `torch.dropout`.
    """
    if not when:
        yield
        return
    kept = {name: getattr(F, name) for name in (*_DROPOUTS, "scaled_dot_product_attention")}
    for name in _DROPOUTS:
        setattr(F, name, _unchanged)
    F.scaled_dot_product_attention = _without_dropout(kept["scaled_dot_product_attention"])
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(F, name, function)


def _unchanged(input: Tensor, *_args: Any, **_options: Any) -> Tensor:  # torch's name for it
    return input


def _without_dropout(attention: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def attend(*args: Any, **options: Any) -> Tensor:
        options.pop("dropout_p", None)
        if len(args) > _ATTENTION_DROPOUT_AT:
            args = (*args[:_ATTENTION_DROPOUT_AT], 0.0, *args[_ATTENTION_DROPOUT_AT + 1 :])
        return attention(*args, **options)

    return attend


@contextmanager
def fresh_statistics(model: nn.Module) -> Iterator[None]:
    """Let BatchNorm gather new running statistics, as plain means over the batches seen; restored afterwards."""
    norms = [module for module in batch_norms(model) if module.track_running_stats]
    kept = [(buffer, buffer.clone()) for module in norms for buffer in module.buffers(recurse=False)]
    momenta = [(module, module.momentum) for module in norms]
    try:
        for module in norms:
            module.reset_running_stats()
            module.momentum = None  # torch's way to say: cumulative average
        yield
    finally:
        for module, momentum in momenta:
            module.momentum = momentum
        for buffer, value in kept:
            buffer.copy_(value)


def weight_norm(model: nn.Module) -> float:
    """Norm of all trainable parameters together."""
    found: list[Tensor] = [p.detach() for p in model.parameters() if p.requires_grad and p.is_floating_point()]
    if not found:
        return 0.0
    return float(torch.nn.utils.get_total_norm(found))
