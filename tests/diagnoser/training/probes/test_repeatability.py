"""Is a run the same again, and is a split?"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import Repeatability
from diagnoser.training.probes import repeatability as repeatability_probe
from diagnoser.training.probes.repeatability import largest_relative_difference
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import blobs, net, workload


def repeatability(**settings: Any) -> Repeatability:
    return repeatability_probe.measure(workload(**settings), Probe(probe=ProbeKind.REPEATABILITY))


def fixed_split() -> Any:
    x, y = blobs(400, seed=1)
    return (x[:300], y[:300]), (x[300:], y[300:])


def random_split() -> Any:
    x, y = blobs(400, seed=1)
    order = torch.randperm(400)
    return (x[order[:300]], y[order[:300]]), (x[order[300:]], y[order[300:]])


def drawn_afresh() -> Any:
    seed = int(torch.randint(10_000, (1,)))
    return blobs(300, seed=seed), blobs(100, seed=seed + 1)


class Unseeded(nn.Module):
    """Draws from a generator that no seed reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: Tensor) -> Any:
        noise = torch.Generator()
        noise.seed()
        return self.net(x + torch.randn(x.shape, generator=noise))


def test_a_seeded_run_repeats_and_a_fixed_split_stays() -> None:
    seen = repeatability(data=fixed_split, model=lambda: net(0.5))
    assert seen.largest_relative_difference == 0
    assert (seen.split_difference, seen.union_difference) == (0, 0)


def test_a_split_that_depends_on_the_seed_keeps_its_union() -> None:
    seen = repeatability(data=random_split)
    assert seen.split_difference == pytest.approx(0.75, abs=0.12)
    assert seen.union_difference == 0


def test_data_that_are_drawn_afresh_change_their_union() -> None:
    assert repeatability(data=drawn_afresh).union_difference == 1


def test_noise_that_no_seed_reaches_is_measured() -> None:
    assert repeatability(model=Unseeded).largest_relative_difference > 1e-3


def test_curves_are_compared_as_far_as_both_go() -> None:
    nan, inf = float("nan"), float("inf")
    assert largest_relative_difference((2.0, 1.0, nan), (2.0, 1.0, nan)) == 0
    assert largest_relative_difference((2.0, 1.0), (2.0, 1.1, 5.0)) == pytest.approx(0.1 / 1.1)
    assert largest_relative_difference((2.0, 1.0), (2.0, nan)) == inf
    assert largest_relative_difference((), ()) == 0
