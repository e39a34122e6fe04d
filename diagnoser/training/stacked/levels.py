"""Where does a stack's forward stand inside `torch.func.vmap`, and how does it hand its trials something made outside?

torch.func has no public words for "one plain tensor per trial, made here": inside `vmap` every random call is refused
or shared, and a `torch.autograd.Function` with a rule for vmap costs 135 us per call (measured, 2.13, one core) and is
not asked where all trials share the input. These are the calls that vmap itself is made of. Whoever imports this file
must be ready for an ImportError under a torch that has them no more.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from torch._C._functorch import (
    CVmapInterpreterPtr,
    TransformType,
    _add_batch_dim,
    is_batchedtensor,
    peek_interpreter_stack,
    pop_dynamic_layer_stack,
    push_dynamic_layer_stack,
)

from diagnoser.training.stacked.unstackable import Unstackable

__all__ = ["is_batchedtensor", "outside", "per_trial", "stack_size"]


def stack_size() -> int:
    """Count the trials of the stack whose forward is running. Raises Unstackable inside the user's own transforms."""
    inner = peek_interpreter_stack()
    assert inner is not None, "masks are for the forward inside vmap"
    if inner.level() != 1 or inner.key() != TransformType.Vmap:
        raise Unstackable("the model drops out inside a torch.func transform of its own")
    return CVmapInterpreterPtr(inner).batchSize()


@contextmanager
def outside() -> Iterator[None]:
    """Compute on plain tensors for a moment, as if vmap had not begun."""
    saved = pop_dynamic_layer_stack()
    try:
        yield
    finally:
        push_dynamic_layer_stack(saved)


def per_trial(physical: Tensor) -> Tensor:  # (N, ...) -> (...) of each trial
    """Hand each trial its row of a plain tensor."""
    return _add_batch_dim(physical, 0, 1)
