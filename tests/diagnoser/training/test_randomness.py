"""Is chance drawn on purpose, and given back?"""

import random

import numpy as np
import torch

from diagnoser.training.randomness import derived, forked, restored, seed_everything


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_a_seed_fixes_every_source() -> None:
    seed_everything(3)
    first = draws()
    seed_everything(3)
    assert draws() == first


def test_torch_draws_what_its_own_seeding_would_give() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    seed_everything(7)
    assert torch.equal(torch.rand(3), wanted)


def test_what_is_drawn_aside_is_not_missed() -> None:
    seed_everything(3)
    wanted = (draws(), draws())
    seed_everything(3)
    first = draws()
    with forked(9):
        draws()
    assert (first, draws()) == wanted


def test_the_callers_process_is_restored() -> None:
    seed_everything(3)
    wanted = draws()
    seed_everything(3)
    threads = torch.get_num_threads()
    with restored():
        draws()
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(threads + 1)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_grad_enabled(False)
    assert draws() == wanted
    assert torch.get_default_dtype() is torch.float32
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.is_grad_enabled()


def test_derived_seeds_differ_and_stay() -> None:
    assert derived(0, "order", 1) == derived(0, "order", 1)
    assert len({derived(seed, word) for seed in range(50) for word in ("a", "b")}) == 100
    assert derived(0, "order", 0) < 2**63
