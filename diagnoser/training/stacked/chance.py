"""Does a stack's forward draw from a generator that its trials would share?"""

import pickle
import random
from typing import Any, Self

import numpy as np
import torch

from diagnoser.training.stacked.unstackable import Unstackable

_OWN_CHANCE = "the model draws random numbers of its own in its forward pass"
_REFUSED_BY_VMAP = "randomness error mode"  # torch's words where a random call has no mask of ours


class DrawsNothing:
    """Raises Unstackable on leaving if anything inside drew from a generator that the trials would share.

    Covers: Python's `random`, NumPy's and torch's own generators, on every device, and what vmap refuses to draw. Does
    not cover: generators that the user's code made itself, unless an attribute of the model holds them
    (`require_alike` compares those), nor sources of chance outside Python, NumPy and torch.
    """

    def __enter__(self) -> Self:
        self._before = _positions()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RuntimeError) and _REFUSED_BY_VMAP in str(error):
            raise Unstackable(_OWN_CHANCE) from error
        if error is None and _positions() != self._before:
            raise Unstackable(_OWN_CHANCE)


def _positions() -> tuple[Any, ...]:
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002  # user code draws from the global generator
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    states = [torch.get_rng_state(), *devices]
    return random.getstate(), pickle.dumps(numpy), [state.numpy().tobytes() for state in states]
