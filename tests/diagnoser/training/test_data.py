"""Do rows lie where they are used, and are they moved there once?"""

from dataclasses import replace

import pytest
import torch

from diagnoser.training import data
from diagnoser.training.batches import pin
from diagnoser.training.data import Split
from tests.helpers.training import classes, loaded, net, two

ELSEWHERE = torch.device("meta")  # a device that every machine has and that is not the host


def rows() -> Split:
    return loaded(net, two(), loss="cross_entropy").train


def test_rows_that_fit_are_moved_to_the_device_once() -> None:
    split = rows()
    first, second = split.on(ELSEWHERE), split.with_settings(batch_size=3).on(ELSEWHERE)
    assert first.device_of_rows() == ELSEWHERE
    assert first.memory is second.memory
    assert (first.pinned, first.on(ELSEWHERE)) == (False, first)


def test_other_rows_are_not_taken_for_these() -> None:
    split = rows()
    whole = split.on(ELSEWHERE)
    for other in (split.subset([1, 2]), split.with_change(lambda batch: batch), split.materialised()):
        assert other.on(ELSEWHERE).memory is not whole.memory
    assert split.on(ELSEWHERE).memory is whole.memory
    changed = replace(split, memory=list(classes(5)), rows=5)
    assert changed.on(ELSEWHERE).head(1)[0].device == ELSEWHERE
    assert changed.on(ELSEWHERE).memory is not whole.memory


def test_rows_that_would_fill_the_device_stay_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    split = rows()
    held = sum(tensor.nbytes for tensor in split.memory or ())
    for free, stays in ((2 * held - 1, True), (2 * held, False)):
        monkeypatch.setattr(data, "available_bytes", lambda _, free=free: free)
        found = replace(split, known={}).on(ELSEWHERE)
        assert (found.pinned, found.memory is split.memory) == (stays, stays)


def test_on_the_host_nothing_moves() -> None:
    split = rows()
    assert split.on(torch.device("cpu")) is split


def test_rows_that_are_read_anew_are_pinned() -> None:
    x, y = classes(8)
    split = Split(
        name="train", rows=8, batch_size=4, shuffle=False, dataset=[*zip(x, y, strict=True)],
        collate=torch.utils.data.default_collate,
    )  # fmt: skip
    assert split.on(ELSEWHERE).pinned


@pytest.mark.parametrize("pinned", [False, True])
def test_every_batch_of_rows_on_the_host_is_staged_where_the_split_says_so(
    monkeypatch: pytest.MonkeyPatch, pinned: bool
) -> None:
    staged: list[object] = []

    def remember(batch: object) -> object:
        staged.append(batch)
        return batch

    monkeypatch.setattr(data, "pin", remember)
    batches = list(replace(rows(), pinned=pinned).batches(seed=0, epoch=0))
    assert len(staged) == (len(batches) if pinned else 0)
    assert all(left is right for left, right in zip(staged, batches, strict=False))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch pins memory only where there is a device")
def test_batches_from_the_host_are_pinned_and_equal() -> None:
    split = rows()
    pinned = replace(split, pinned=True)
    for given, staged in zip(split.batches(seed=0, epoch=0), pinned.batches(seed=0, epoch=0), strict=True):
        assert all(tensor.is_pinned() for tensor in staged)
        assert all(torch.equal(a, b) for a, b in zip(given, staged, strict=True))
    assert pin(staged)[0].data_ptr() == staged[0].data_ptr()
