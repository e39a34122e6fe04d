"""What would another batch size or precision do on an accelerator? With made-up timings, and once with real ones."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from diagnoser.evidence.batch_size import Speed, Throughput
from diagnoser.training.probes import system as system_probe
from diagnoser.training.probes import throughput
from diagnoser.training.probes.throughput import Precision, look, nearest_multiple
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, net, workload

Cost = Callable[[int, Precision], float | None]
LONG_AGO, NEVER = -1.0, float("inf")


def constant(_size: int, _precision: Precision) -> float:
    """A device that is far from full: a step costs the same whatever its rows."""
    return 0.01


def in_proportion(size: int, _precision: Precision) -> float:
    """A device that is full: twice the rows cost twice the time."""
    return 0.001 * size


def asked(cost: Cost = constant, *, batch_size: int = 32, precision: Precision = "float32", rows: int = 10_000) -> Any:
    found = look(cost, batch_size=batch_size, precision=precision, rows=rows, until=NEVER, clock=lambda: 0.0)
    assert found is not None
    return found


def sizes(speeds: tuple[Speed, ...]) -> list[int]:
    return [speed.batch_size for speed in speeds]


def test_a_full_device_is_asked_once_whether_more_rows_pay() -> None:
    assert sizes(asked(in_proportion).larger) == [64]


def test_an_empty_one_is_asked_up_to_sixty_four_times_the_rows() -> None:
    assert sizes(asked(rows=10**6).larger) == [64, 128, 256, 512, 1024, 2048]


def test_it_stops_where_a_doubling_no_longer_pays() -> None:
    def full_from_128(size: int, _precision: Precision) -> float:
        return 0.01 * max(1.0, size / 128)

    assert sizes(asked(full_from_128).larger) == [64, 128, 256]


def test_it_stops_where_memory_ends_and_says_so() -> None:
    def small(size: int, _precision: Precision) -> float | None:
        return 0.01 if size <= 64 else None

    larger = asked(small).larger
    assert [(speed.batch_size, len(speed.seconds)) for speed in larger] == [(64, 3), (128, 0)]


def test_no_batch_is_larger_than_the_training_set() -> None:
    assert sizes(asked(rows=100).larger) == [64]
    found = asked(batch_size=20, rows=20)
    assert (found.larger, found.multiple_of_16) == ((), Speed(batch_size=16, precision="float32", seconds=(0.01,) * 3))


def test_sizes_take_turns_in_three_rounds() -> None:
    order: list[int] = []

    def noted(size: int, precision: Precision) -> float:
        order.append(size)
        return in_proportion(size, precision)

    found = asked(noted, precision="bfloat16")
    assert order == [32, 64] * 3
    assert found.as_given.seconds == pytest.approx((0.032,) * 3)


def test_when_time_is_up_the_first_round_is_all_there_is() -> None:
    found = look(constant, batch_size=32, precision="float32", rows=10_000, until=LONG_AGO, clock=lambda: 0.0)
    assert found == Throughput(as_given=Speed(batch_size=32, precision="float32", seconds=(0.01,)))


def test_a_batch_that_cannot_be_timed_leaves_nothing_to_compare_with() -> None:
    assert look(lambda *_: None, batch_size=32, precision="float32", rows=100, until=NEVER) is None


@pytest.mark.parametrize(("size", "nearest"), [(1, 16), (16, 16), (20, 16), (24, 32), (100, 96), (250, 256)])
def test_the_nearest_multiple_of_sixteen(size: int, nearest: int) -> None:
    assert nearest_multiple(size) == nearest


def test_only_a_size_that_is_none_is_compared_with_a_multiple_of_sixteen() -> None:
    assert asked(batch_size=32).multiple_of_16 is None
    assert asked(batch_size=100).multiple_of_16.batch_size == 96


@pytest.mark.parametrize(("given", "tried"), [("float32", True), ("bfloat16", False), ("float16", False)])
def test_only_float32_is_compared_with_bfloat16(given: Precision, tried: bool) -> None:
    found = asked(precision=given)
    assert (found.bfloat16 is not None) is tried
    assert found.as_given.precision == given


def test_weights_in_float64_are_counted() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4).double())
    assert throughput.float64_share(model) == 0.5
    assert throughput.float64_share(nn.ReLU()) == 0.0


def measured(**settings: Any) -> Throughput | None:
    return system_probe.measure(workload(**settings), Probe(probe=ProbeKind.SYSTEM, max_seconds=1e6)).throughput


def test_a_cpu_is_not_asked() -> None:
    assert measured() is None


def test_real_steps_are_timed_on_a_device_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "on_accelerator", lambda _: True)
    monkeypatch.setattr(throughput, "has_tensor_cores", lambda _: True)
    found = measured(batch_size=20)
    assert found is not None
    assert found.tensor_cores
    assert found.float64_share == 0.0
    timed = (found.as_given, found.multiple_of_16, found.bfloat16, *found.larger)
    assert [speed.batch_size for speed in timed if speed is not None][:4] == [20, 16, 20, 40]
    assert all(seconds > 0 for speed in timed if speed is not None for seconds in speed.seconds)


def test_steps_that_a_model_cannot_take_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, x: torch.Tensor) -> Any:
            if torch.is_grad_enabled() and len(x) > 16:
                raise torch.OutOfMemoryError("CUDA out of memory")
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("no bfloat16 here")
            return self.net(x)

    monkeypatch.setattr(throughput, "on_accelerator", lambda _: True)
    monkeypatch.setattr(throughput, "has_tensor_cores", lambda _: False)
    found = measured(model=Small, batch_size=16)
    assert found is not None
    assert found.as_given.seconds
    assert found.bfloat16 == Speed(batch_size=16, precision="bfloat16", seconds=())
    assert found.larger == (Speed(batch_size=32, precision="float32", seconds=()),)


def test_the_shares_of_float64_come_from_the_users_model(monkeypatch: pytest.MonkeyPatch) -> None:
    class Double(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(FEATURES, CLASSES).double()

        def forward(self, x: torch.Tensor) -> Any:
            return self.net(x.double())

    monkeypatch.setattr(throughput, "on_accelerator", lambda _: True)
    monkeypatch.setattr(throughput, "has_tensor_cores", lambda _: False)
    found = measured(model=Double)
    assert found is not None
    assert found.float64_share == 1.0
