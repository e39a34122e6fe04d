"""Is whatever a data factory may return read as the user means it?"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, WeightedRandomSampler

from diagnoser.errors import UserCodeError
from diagnoser.training.data import Split
from diagnoser.training.unsupported import Unsupported
from tests.helpers.training import classes, loaded, net, ran, two


def read(part: Any) -> Split:
    return loaded(net, (part, classes(16)), loss="cross_entropy").train


class Rows(Dataset[Any]):
    def __init__(self, *, noise: float = 0.0, rows: int = 40) -> None:
        self.x, self.y = classes(rows)
        self.noise = noise

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.x[i] + self.noise * torch.randn(4), self.y[i]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield from zip(*classes(40), strict=True)


def test_every_form_of_the_same_rows_gives_the_same_batches() -> None:
    x, y = classes(40)
    forms = [(x, y), (x.numpy(), y.numpy()), [x, y], TensorDataset(x, y), Rows(), Subset(Rows(), range(40)),
             list(zip(x, y, strict=True)), Stream(), (x.double().numpy(), y.int().numpy()),
             DataLoader(Rows(), batch_size=16, shuffle=True)]  # fmt: skip
    for form in forms:
        split = read(form)
        assert split.rows == 40
        assert split.in_memory
        a, b = split.take([3, 1])
        assert torch.equal(a, x[[3, 1]])
        assert torch.equal(b, y[[3, 1]])


def test_a_dataloader_keeps_its_own_settings() -> None:
    split = read(DataLoader(Rows(), batch_size=7, shuffle=True, drop_last=True))
    assert (split.batch_size, split.shuffle, split.drop_last, split.batches_per_epoch()) == (7, True, True, 5)
    assert [len(batch[0]) for batch in split.batches(seed=0, epoch=0)] == [7] * 5
    assert not read(DataLoader(Rows(), batch_size=7)).shuffle


def test_a_change_of_the_batch_size_rebuilds_a_dataloader() -> None:
    workload = loaded(net, (DataLoader(Rows(), batch_size=7), classes(16)), loss="cross_entropy")
    assert ran(workload, updates=2, changes={"data.batch_size": 20}).batches_per_epoch == 2


def test_a_sampler_of_the_users_decides_the_order() -> None:
    weights = [1.0] + [0.0] * 39
    split = read(DataLoader(Rows(), batch_size=5, sampler=WeightedRandomSampler(weights, 10)))
    x, _ = classes(40)
    batches = list(split.batches(seed=0, epoch=0))
    assert split.batches_per_epoch() == len(batches) == 2
    assert all(torch.equal(row, x[0]) for batch in batches for row in batch[0])


def test_a_batch_sampler_of_the_users_is_followed_and_not_replaced() -> None:
    split = read(DataLoader(Rows(), batch_sampler=[[0, 1, 2], [5]]))  # type: ignore[arg-type]
    assert [len(batch[0]) for batch in split.batches(seed=0, epoch=0)] == [3, 1]
    with pytest.raises(Unsupported, match="batch sampler"):
        split.with_settings(batch_size=8)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    split = read(classes(40))

    def order(seed: int, epoch: int) -> list[float]:
        return [float(v) for batch in split.batches(seed=seed, epoch=epoch) for v in batch[0][:, 0]]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert sorted(order(0, 0)) == sorted(order(1, 1))


def test_rows_that_change_are_read_each_time() -> None:
    split = read(Rows(noise=0.1))
    assert not split.in_memory
    result = ran(loaded(net, (Rows(noise=0.1), classes(16)), loss="cross_entropy"), updates=12)
    again = ran(loaded(net, (Rows(noise=0.1), classes(16)), loss="cross_entropy"), updates=12)
    assert result.losses == again.losses
    assert result.error is None


def test_a_collate_function_that_mixes_rows_is_called_for_each_batch() -> None:
    def mixed(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        x = torch.stack([item[0] for item in items])
        return (x + x.flip(0)) / 2, torch.stack([item[1] for item in items])

    assert not read(DataLoader(Rows(), batch_size=8, collate_fn=mixed)).in_memory


def test_batches_may_be_changed_in_place_by_the_user() -> None:
    split = read(classes(40))
    next(iter(split.batches(seed=0, epoch=0, shuffle=False)))[0].zero_()
    assert float(split.take([0, 1])[0].abs().sum()) > 0


def test_a_subset_keeps_its_rows() -> None:
    for form in (classes(40), Rows(noise=1e-9)):
        split = read(form).subset([5, 6, 7])
        assert split.rows == 3
        assert torch.allclose(split.take([2])[0], classes(40)[0][7:8])


def test_workers_read_the_same_rows() -> None:
    split = read(DataLoader(Rows(noise=1e-9), batch_size=10, num_workers=1))
    batches = list(split.batches(seed=0, epoch=0))
    assert torch.allclose(torch.cat([batch[0] for batch in batches]), classes(40)[0], atol=1e-6)


def test_without_a_validation_set_a_tenth_is_held_out_and_said() -> None:
    for made in (classes(40), Rows(), DataLoader(Rows(), batch_size=4)):
        workload = loaded(net, made, loss="cross_entropy")
        assert (workload.train.rows, workload.validation.rows) == (36, 4)
        assert any("held out" in assumption.because for assumption in workload.assumptions().assumed)


def test_a_third_split_is_the_test_set() -> None:
    workload = loaded(net, (*two(), classes(8)), loss="cross_entropy")
    assert workload.test is not None
    assert workload.test.rows == 8


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ((classes(0), classes(4)), "train split is empty"),
        ((classes(4), classes(0)), "validation split is empty"),
        ((torch.zeros(4, 4), torch.zeros(4), torch.zeros(2, 4), torch.zeros(2)), "4 arrays"),
        (((torch.zeros(4, 4), torch.zeros(3)), classes(4)), "different numbers of rows: 4 and 3"),
        (7, "returned an object of class int"),
        ((np.array([["a"], ["b"]]), np.array([["c"], ["d"]])), "not numeric"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_split(made: Any, words: str) -> None:
    with pytest.raises(UserCodeError, match=words):
        loaded(net, made, loss="cross_entropy")


def test_every_load_has_the_same_split_and_fingerprint() -> None:
    def data() -> Any:
        order = torch.randperm(64)  # the user's own split, from the global generator
        x, y = classes(64)
        return (x[order[:48]], y[order[:48]]), (x[order[48:]], y[order[48:]])

    torch.manual_seed(1)
    first = loaded(net, data, loss="cross_entropy")
    torch.manual_seed(2)
    second = loaded(net, data, loss="cross_entropy")
    assert first.data_fingerprint == second.data_fingerprint
    assert loaded(net, data, loss="cross_entropy", seed=1).data_fingerprint != first.data_fingerprint


def test_augmentation_is_turned_off_for_evaluation_and_the_small_set() -> None:
    def data(noise: float = 5.0) -> Any:
        return Rows(noise=noise), classes(16)

    workload = loaded(net, data, loss="cross_entropy", data_settings={"plain_args": {"noise": 0.0}})
    assert not workload.train.in_memory
    assert workload.plain_train().in_memory
    assert ran(workload, updates=3, regularised=False).error is None
