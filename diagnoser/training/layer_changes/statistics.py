"""What do BatchNorm's running statistics follow?"""

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from diagnoser.training.batches import Batch
from diagnoser.training.layer_changes.passage import subclassed
from diagnoser.training.modes import batch_norms
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

MOMENTUM = 0.1  # torch's own: the weight of the newest batch
BATCHES = 50  # of training rows, for fresh statistics (CATALOGUE, batch-norm-statistics-stale)
_SEED = 5_077


def track_norm_statistics(model: nn.Module, workload: Workload) -> None:
    """Let running statistics be kept, with torch's momentum, in train mode.

    Where they are so already and stale all the same, they are gathered anew whenever training gives way to evaluation:
    plain means over 50 batches of training rows, dropout off. Frozen layers keep what they came with.
    """
    found = [norm for norm in batch_norms(model) if not _is_frozen(norm)]
    if not found:
        raise Unsupported("the model has no BatchNorm that is trained")
    odd = [n for n in found if not n.track_running_stats or n.momentum != MOMENTUM or not n.training]
    for norm in odd:
        norm.momentum, norm.training = MOMENTUM, True
        if norm.running_mean is None or norm.running_var is None:
            _track(norm)
    if not odd:
        _gathered_before_evaluation(model, workload)


def frozen_norm_in_eval(model: nn.Module, workload: Workload) -> None:
    """Keep BatchNorms without a trainable parameter in eval mode, whoever calls `model.train()`."""
    found = [norm for norm in batch_norms(model) if _is_frozen(norm) and norm.track_running_stats and norm.training]
    if not found:
        raise Unsupported("no frozen BatchNorm is in train mode")
    for norm in found:
        norm.eval()
        subclassed(norm, train=_stay)


def _is_frozen(norm: _BatchNorm) -> bool:
    own = list(norm.parameters(recurse=False))
    return bool(own) and not any(parameter.requires_grad for parameter in own)


def _stay(norm: nn.Module, mode: bool = True) -> nn.Module:  # noqa: FBT001, FBT002  # torch's signature
    return norm


def _track(norm: _BatchNorm) -> None:
    """Make the buffers that `track_running_stats=False` left out."""
    like: Any = {"device": norm.weight.device, "dtype": norm.weight.dtype} if norm.affine else {}
    norm.track_running_stats = True
    norm.running_mean = torch.zeros(norm.num_features, **like)
    norm.running_var = torch.ones(norm.num_features, **like)
    norm.num_batches_tracked = torch.tensor(0, device=like.get("device"))


def _gathered_before_evaluation(model: nn.Module, workload: Workload) -> None:
    """Gather at each change from train to eval mode, unless nothing was trained since."""

    def train(self: nn.Module, mode: bool = True) -> nn.Module:  # noqa: FBT001, FBT002  # torch's signature
        norms = [norm for norm in batch_norms(self) if norm.training and norm.track_running_stats]
        if not mode and self.training and norms and _batches_seen(norms) != vars(self).get("batches_when_gathered"):
            _gather(self, workload, norms)
            vars(self)["batches_when_gathered"] = _batches_seen(norms)
        changed: nn.Module = inherited(self, mode)
        return changed

    inherited: Callable[..., Any] = type(model).train
    subclassed(model, train=train)


def _batches_seen(norms: list[_BatchNorm]) -> int:
    return sum(int(norm.num_batches_tracked) for norm in norms if norm.num_batches_tracked is not None)


def _gather(model: nn.Module, workload: Workload, norms: list[_BatchNorm]) -> None:
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    for module in model.modules():
        module.training = False  # `eval()` would come back here
    for norm in norms:
        norm.reset_running_stats()
        norm.training, norm.momentum = True, None  # torch's way to say: cumulative average
    try:
        with torch.no_grad(), forked(_SEED):
            for batch in islice(_epochs(workload), BATCHES):
                workload.loss(model, workload.to_device(batch))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


def _epochs(workload: Workload) -> Iterator[Batch]:
    for epoch in count():
        yield from workload.train.batches(seed=_SEED, epoch=epoch)
