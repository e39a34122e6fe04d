"""How noisy is the gradient of one batch? Known answers first."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.evidence.batch_size import GradientNoise, Noise
from diagnoser.spec.fields import Task
from diagnoser.training.probes import gradient_noise, optimizer
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import blobs, net, workload


@pytest.fixture(autouse=True)
def _all_the_time_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_noise, "MOST_SECONDS", float("inf"))


class Offset(nn.Module):
    """One number that is added to the input: the gradient of half the squared error is the mean error."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.offset


def errors(rows: int, *, mean: float, std: float) -> tuple[Tensor, Tensor]:
    """Rows whose error, and so whose gradient, has this mean and spread exactly."""
    drawn = torch.randn(rows, 1, generator=torch.Generator().manual_seed(0))
    x = mean + std * (drawn - drawn.mean()) / drawn.std(unbiased=False)
    return x, torch.zeros(rows, 1)


def half_squared(model: nn.Module, batch: Any) -> Tensor:
    x, y = batch
    return 0.5 * (model(x) - y).square().mean()


def measured(seconds: float = float("inf"), **settings: Any) -> GradientNoise | None:
    return gradient_noise.measure(workload(**settings), seed=0, seconds=seconds)


def start(**settings: Any) -> Noise:
    found = measured(**settings)
    assert found is not None
    return found.looks[0]


def numbers(*, mean: float, std: float, batch_size: int) -> Noise:
    train = errors(16 * batch_size, mean=mean, std=std)
    return start(
        data=(train, errors(32, mean=0.0, std=1.0)), model=Offset, step=half_squared, loss=None, task=Task.CUSTOM,
        batch_size=batch_size,
    )  # fmt: skip


def test_the_variance_of_a_mean_is_that_of_a_row_over_its_rows() -> None:
    found = numbers(mean=0.5, std=2.0, batch_size=64)
    assert found.mean_square == pytest.approx((0.25,) * 3, rel=1e-3)  # sixteen batches are all rows, whatever the order
    assert sum(found.variance) / 3 == pytest.approx(4.0 / 64, rel=0.4)  # of 45 degrees of freedom


def test_four_times_the_rows_have_a_quarter_of_the_noise() -> None:
    small, large = (numbers(mean=0.5, std=2.0, batch_size=size) for size in (16, 64))
    assert sum(small.variance) / sum(large.variance) == pytest.approx(4.0, rel=0.6)


def test_equal_rows_have_no_noise() -> None:
    assert numbers(mean=0.5, std=0.0, batch_size=8).variance == pytest.approx((0.0,) * 3, abs=1e-9)


def test_a_data_set_of_one_batch_gives_the_same_gradient_every_time() -> None:
    found = start(batch_size=320)
    assert max(found.variance) < 1e-5 * min(found.mean_square)  # sums in float32


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    assert measured(batch_size=1000) is not None


def test_dropout_is_part_of_the_noise_and_its_masks_repeat() -> None:
    first, second = (start(model=lambda: net(dropout=0.9), batch_size=320) for _ in range(2))
    assert first == second
    assert min(first.variance) > 0.01 * max(first.mean_square)  # although every batch holds all rows


def test_a_second_look_is_taken_after_the_first_updates() -> None:
    found = measured()
    assert found is not None
    assert found.batches == 16
    assert [(look.updates, len(look.variance)) for look in found.looks] == [(0, 3), (20, 3)]
    before, after = found.looks
    assert max(after.mean_square) < min(before.mean_square)  # blobs are learned quickly: the slope is less steep


def test_a_loss_without_a_gradient_has_no_noise_to_speak_of() -> None:
    def step(model: nn.Module, batch: Any) -> Tensor:
        with torch.no_grad():
            return nn.functional.cross_entropy(model(batch[0]), batch[1])

    assert measured(step=step, loss=None, task=Task.CUSTOM) is None


def test_a_loss_that_is_not_finite_has_none_either() -> None:
    x, y = blobs(320, seed=1)
    assert measured(data=((x.fill_(float("inf")), y), blobs(100, seed=2))) is None


def test_a_model_that_is_too_slow_is_left_alone() -> None:
    assert measured(seconds=0.0) is None


def test_a_probe_of_the_optimizer_carries_it() -> None:
    profile = optimizer.measure(workload(), Probe(probe=ProbeKind.OPTIMIZER, max_seconds=1e6))
    assert profile.gradient_noise is not None
    assert profile.gradient_noise.batch_size == 16
