"""Is each failure laid at the right door, and told without our lines?"""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from diagnoser.training import failures, layout, metrics
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Outcome
from tests.helpers.training import loaded, net, two


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except failures.USER_STOPS as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_shape_that_fits_not_is_the_users_although_we_made_the_call() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    loss = workload.loss_function
    assert loss is not None
    assert not failures.is_ours(raised(lambda: loss.of(torch.zeros(3, 3), torch.zeros(3, 9))))
    kept = [(torch.zeros(3, 2), torch.zeros(3, 2)), (torch.zeros(3, 4), torch.zeros(3, 4))]
    metric = metrics.Metric(name="r2", higher_is_better=True, task=workload.task)
    assert not failures.is_ours(raised(lambda: metric.score(kept)))
    assert workload.layout is not None
    assert not failures.is_ours(raised(lambda: workload.layout.call(nn.Identity(), 7)))  # type: ignore[union-attr]


def test_a_slip_of_ours_is_ours() -> None:
    assert failures.is_ours(raised(lambda: layout.Layout.call(None, None, None)))  # type: ignore[arg-type]
    assert not failures.is_ours(raised(lambda: (_ for _ in ()).throw(ValueError("theirs"))))
    assert not failures.is_ours(Unsupported("no"))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), Outcome.OUT_OF_MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"), Outcome.OUT_OF_MEMORY),
        (RuntimeError("size mismatch"), Outcome.USER_ERROR),
    ],
)
def test_memory_is_told_from_other_errors(error: Exception, outcome: Outcome) -> None:
    assert failures.outcome_of(error) is outcome


def test_a_long_message_is_cut() -> None:
    assert len(failures.user_error(ValueError("x" * 10_000)).message) == 2_000
