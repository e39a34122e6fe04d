"""Is a forward that draws random numbers of its own noticed, whatever it draws them with?"""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import vmap

from diagnoser.training.stacked.chance import DrawsNothing
from diagnoser.training.stacked.unstackable import Unstackable

X = torch.ones(3, 4)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * random.random(),
        lambda x: x * float(np.random.rand()),  # noqa: NPY002  # as user code does
        lambda x: x + torch.rand(4),
        lambda x: x + torch.randn_like(x),
        lambda x: x * x.new_empty(4).bernoulli_(0.5),
        lambda x: x[torch.randperm(4)],
        lambda x: torch.nn.functional.gumbel_softmax(x, dim=0),
    ],
    ids=["random", "numpy.random", "torch.rand", "torch.randn_like", "bernoulli_", "randperm", "gumbel_softmax"],
)
def test_a_forward_that_draws_is_noticed(function: Callable[[Tensor], Tensor]) -> None:
    with (
        pytest.raises(Unstackable, match=r"^the model draws random numbers of its own in its forward pass$"),
        DrawsNothing(),
    ):
        vmap(function, randomness="error")(X)


def test_so_is_what_is_drawn_outside_vmap() -> None:
    with pytest.raises(Unstackable), DrawsNothing():
        torch.rand(1)


def test_a_forward_that_draws_nothing_passes() -> None:
    own = np.random.default_rng(0)
    with DrawsNothing():
        vmap(torch.sin, randomness="error")(X)
        own.random()


def test_another_error_goes_its_way() -> None:
    def broken(x: Tensor) -> Tensor:
        return x * (random.random() / 0)

    with pytest.raises(ZeroDivisionError), DrawsNothing():
        vmap(broken, randomness="error")(X)
