"""What a step costs, on data that wait and on a batch size that does not fit."""

import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from diagnoser.evidence.preflight import SystemProfile
from diagnoser.spec.fields import Optimizer
from diagnoser.training.probes import system as system_probe
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, blobs, net, workload


def system(**settings: Any) -> SystemProfile:
    return system_probe.measure(workload(**settings), Probe(probe=ProbeKind.SYSTEM, max_seconds=2.0))


class Slow(Dataset[tuple[Tensor, Tensor]]):
    """Rows that take two milliseconds each, and a little noise, so that none is kept in memory."""

    def __init__(self, rows: int) -> None:
        self.x, self.y = blobs(rows, seed=1)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        time.sleep(0.002)
        return self.x[index] + torch.randn(1), self.y[index]


class Limited(nn.Module):
    """Has memory for ten rows."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net()
        self.rows = 10

    def forward(self, x: Tensor) -> Any:
        if torch.is_grad_enabled() and len(x) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.net(x)


class Full(Limited):
    """Has no memory at all."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0


def test_a_small_model_on_tensors_is_timed() -> None:
    seen = system()
    assert seen.device == "cpu"
    assert 0 < seen.seconds_per_update < 1
    assert 0 < seen.seconds_per_evaluation < 1
    assert seen.seconds_to_build > 0
    assert 0 <= seen.data_share < 1
    assert seen.largest_batch is None
    assert seen.batch_in_memory
    assert (seen.memory_mb or 0) > 1
    assert (seen.memory_available_mb or 0) > 1


def test_waiting_for_data_is_told_from_work() -> None:
    seen = system(data=(Slow(64), blobs(50, seed=2)))
    assert seen.data_share > 0.7
    assert (seen.cached_speedup or 0) > 3
    assert not seen.batch_in_memory


def test_the_largest_batch_that_fits_is_found() -> None:
    assert system(model=Limited).largest_batch == 8
    with pytest.raises(Unsupported, match="not even one row"):
        system(model=Full)


def test_accumulated_batches_and_closures_count_as_updates() -> None:
    one, four = system(), system(accumulate_batches=4)
    assert four.seconds_per_update > 1.5 * one.seconds_per_update
    assert system(optimizer=Optimizer(name="lbfgs", lr=0.1)).seconds_per_update > 0


def test_the_largest_batch_is_told_from_what_a_step_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def wide() -> nn.Module:
        return nn.Sequential(nn.Linear(FEATURES, 1_000), nn.Tanh(), nn.Linear(1_000, CLASSES))

    a_row = 4 * (FEATURES + 1_000 + CLASSES)  # bytes: the input, the hidden units, and the logarithms of the softmax
    room = 50 * a_row * 2 / 0.5  # for 50 rows and their gradients in half of what is free
    monkeypatch.setattr(system_probe, "available_bytes", lambda _: int(room))
    assert system(model=wide).rows_that_fit == pytest.approx(50, abs=1)


def test_no_batch_is_larger_than_the_training_set() -> None:
    assert system().rows_that_fit == workload().train.rows


def test_a_model_for_one_batch_size_alone_leaves_the_largest_batch_open() -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, x: Tensor) -> Any:
            if len(x) == 8:
                raise ValueError("half a batch")
            return self.net(x)

    assert system(model=Picky).rows_that_fit is None
