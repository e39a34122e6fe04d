"""Two real workers on data sets whose randomness is known."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from diagnoser.training.probes import workers
from diagnoser.training.workload import Workload
from tests.helpers.small_workload import blobs, workload


class Noisy(Dataset[tuple[Tensor, Tensor]]):
    """Adds noise to each row, drawn from a generator of its own or from torch's."""

    def __init__(self, rows: int = 64, *, own: bool, noise: float = 0.1) -> None:
        self.x, self.y = blobs(rows, seed=1)
        self.rng = np.random.default_rng(0) if own else None
        self.noise = noise

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        size = len(self.x[index])
        drawn = torch.randn(size) if self.rng is None else torch.tensor(self.rng.standard_normal(size)).float()
        return self.x[index] + self.noise * drawn, self.y[index]


def seed_each(_: int) -> None:
    info = get_worker_info()
    assert info is not None
    assert isinstance(info.dataset, Noisy)
    info.dataset.rng = np.random.default_rng(info.seed)


def made(dataset: Noisy, *, number: int = 2, start: Any = None) -> Workload:
    loader = DataLoader(dataset, batch_size=16, shuffle=True, num_workers=number, worker_init_fn=start)
    return workload(data=(loader, blobs(40, seed=2)))


def test_a_generator_of_the_data_set_is_copied_into_each_worker() -> None:
    assert workers.repeat(made(Noisy(own=True)).train) is True


@pytest.mark.parametrize(
    ("dataset", "start"), [(Noisy(own=False), None), (Noisy(own=True), seed_each)], ids=["torch's", "seeded"]
)
def test_generators_seeded_in_each_worker_differ(dataset: Noisy, start: Any) -> None:
    assert workers.repeat(made(dataset, start=start).train) is False


def test_a_slow_data_set_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    split = made(Noisy(own=True)).train
    monkeypatch.setattr(workers, "LONGEST", 0.0)
    assert workers.repeat(split) is None


def test_the_users_generator_stays_where_it_was() -> None:
    dataset = Noisy(own=True)
    split = made(dataset).train
    assert dataset.rng is not None
    state = dataset.rng.bit_generator.state
    workers.repeat(split)
    assert dataset.rng.bit_generator.state == state


def test_nothing_is_asked_without_two_workers() -> None:
    assert workers.repeat(made(Noisy(own=True), number=1).train) is None
    assert workers.repeat(workload().train) is None


def test_a_data_set_that_fails_in_a_worker_leaves_the_question_open() -> None:
    class Fails(Noisy):
        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            if get_worker_info() is not None:
                raise ValueError("not here")
            return super().__getitem__(index)

    assert workers.repeat(made(Fails(own=True)).train) is None
