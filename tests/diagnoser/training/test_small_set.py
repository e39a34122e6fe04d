"""Are the few rows well chosen, and is the lowest loss that they allow known?"""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from diagnoser.spec.fields import Loss, Optimizer
from diagnoser.training import small_set
from diagnoser.training.probes.rows import all_hashes
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Rows
from tests.helpers.training import classes, loaded, net, numbers, ran, two

FEW = Rows(per_class=8)


def described(workload: Workload) -> small_set.SmallSet:
    return small_set.describe(workload, workload.train.head(workload.train.rows))


def ten(rows: int = 80, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    x, _ = classes(rows, seed=seed)
    return x, torch.arange(rows) % 10


def test_eight_rows_of_each_class_are_chosen_and_always_the_same() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    rows = small_set.choose(workload, workload.train, per_class=8)
    counts = torch.bincount(workload.train.take(rows)[1], minlength=3)
    assert counts.tolist() == [8, 8, 8]
    assert torch.equal(rows, small_set.choose(workload, workload.train, per_class=8))
    numeric = loaded(lambda: net(outputs=1), (numbers(500), numbers(10)), loss="mse_loss")
    assert len(small_set.choose(numeric, numeric.train, per_class=8)) == 80


def test_cross_entropy_can_reach_nothing() -> None:
    found = described(loaded(lambda: net(outputs=10), (ten(), ten()), loss="cross_entropy"))
    assert (found.floor, found.metric_ceiling, found.contradictions) == (0.0, 1.0, 0)


@pytest.mark.parametrize(("count", "floor"), [(10, 0.500), (1000, 1.015)])
def test_label_smoothing_leaves_its_entropy(count: int, floor: float) -> None:
    x, _ = classes(80)
    data = ((x, torch.arange(80) % count),) * 2
    loss = Loss(name="cross_entropy", args={"label_smoothing": 0.1})
    found = described(loaded(lambda: net(outputs=count), data, loss=loss))
    assert found.floor == pytest.approx(floor, abs=1e-3)
    assert "smoothing" in found.floor_because


def test_contradicting_labels_leave_their_entropy_and_accuracy() -> None:
    x, y = ten()
    x[1::2], y[1::2] = x[::2], (y[::2] + 1) % 10  # every input twice, with two labels
    found = described(loaded(lambda: net(outputs=10), ((x, y), (x, y)), loss="cross_entropy"))
    assert found.floor == pytest.approx(math.log(2), abs=1e-3)
    assert found.contradictions == 80
    assert found.metric_ceiling == pytest.approx(0.5)


def test_numbers_that_contradict_leave_their_variance() -> None:
    x, y = numbers(40)
    x[1::2] = x[::2]
    found = described(loaded(lambda: net(outputs=1), ((x, y), (x, y)), loss="mse_loss"))
    assert found.floor == pytest.approx(float(((y[::2] - y[1::2]) / 2).square().mean()), rel=0.01)
    exact = described(loaded(lambda: net(outputs=1), two(numbers), loss="mse_loss"))
    assert (exact.floor, exact.metric_ceiling) == (0.0, 0.95)


@pytest.mark.parametrize(
    ("loss", "target", "floor"),
    [
        ("binary_cross_entropy_with_logits", 1.0, 0.0),
        ("binary_cross_entropy", 1.0, 0.0),
        ("focal_loss", 1.0, 0.0),
        ("binary_cross_entropy_with_logits", 0.7, 0.6109),  # the entropy of a coin of 0.7
    ],
)
def test_floors_of_two_classes(loss: str, target: float, floor: float) -> None:
    x, _ = classes(64)
    y = (x[:, :1] > 0).float() * (2 * target - 1) + (1 - target)
    model = lambda: nn.Sequential(net(outputs=1), nn.Sigmoid() if loss == "binary_cross_entropy" else nn.Identity())  # noqa: E731
    assert described(loaded(model, ((x, y), (x, y)), loss=loss, task="binary")).floor == pytest.approx(floor, abs=2e-3)


def test_first_tokens_of_a_text_are_judged_by_their_entropy() -> None:
    ids = torch.tensor([[1, 2, 3, 4], [1, 3, 3, 4]]).repeat(10, 1)
    data = ((ids[:, :-1], ids[:, 1:]),) * 2
    model = lambda: nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))  # noqa: E731
    by_loss = described(loaded(model, data, loss="cross_entropy"))
    assert by_loss.floor == pytest.approx(math.log(2) / 3, abs=1e-3)
    assert by_loss.metric_ceiling is None

    def step(model: nn.Module, batch: Any) -> Tensor:
        return F.cross_entropy(model(batch[0]).transpose(1, 2), batch[1])

    assert described(loaded(model, data, step_fn=step)).floor == pytest.approx(by_loss.floor)


def test_an_unknown_loss_has_no_floor() -> None:
    workload = loaded(lambda: net(outputs=1), two(numbers), loss_fn=lambda z, y: torch.log(torch.cosh(z - y)).mean())
    found = described(workload)
    assert found.floor is None
    assert not found.memorised(loss=0.0, metric=0.5, initial=1.0)
    assert found.memorised(loss=0.5, metric=0.96, initial=1.0)


def test_memorised_needs_the_metric_and_the_loss() -> None:
    found = small_set.SmallSet(floor=0.5, floor_because="", metric_ceiling=1.0, contradictions=0)
    assert found.memorised(loss=0.67, metric=1.0, initial=2.3)
    assert not found.memorised(loss=0.69, metric=1.0, initial=2.3)
    assert not found.memorised(loss=0.6, metric=0.99, initial=2.3)
    assert not found.memorised(loss=math.nan, metric=1.0, initial=2.3)


def test_a_healthy_model_memorises_and_stops() -> None:
    workload = loaded(net, (classes(400), classes(50)), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.03))
    result = ran(workload, updates=3_000, rows=FEW, regularised=False, stop_when_memorised=True, stop_when_stalled=True)
    assert result.stopped_by == "memorised"
    assert (result.rows_used, result.final_metric, result.floor) == (24, 1.0, 0.0)
    assert result.final_loss is not None
    assert result.initial_loss is not None
    assert result.final_loss <= 0.1 * result.initial_loss


def test_a_model_that_cannot_stalls() -> None:
    workload = loaded(lambda: nn.Sequential(net(), nn.Softmax(1)), (classes(400), classes(50)), loss="cross_entropy",
                      optimizer=Optimizer(name="adam", lr=0.03))  # fmt: skip
    result = ran(workload, updates=3_000, rows=FEW, regularised=False, stop_when_memorised=True, stop_when_stalled=True)
    assert result.stopped_by == "stalled"
    assert result.final_loss == pytest.approx(math.log(1 + 2 / math.e), rel=0.02)


def test_batch_norm_memorises_by_its_batch_statistics() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16, momentum=1e-6), nn.ReLU(), nn.Linear(16, 3))

    x, y = classes(400)
    workload = loaded(
        model, ((x + 20, y), (x + 20, y)), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.03)
    )
    assert ran(workload, updates=2_000, rows=FEW, stop_when_memorised=True).stopped_by == "memorised"


def test_a_last_batch_of_one_row_is_no_trap_for_batch_norm() -> None:
    model = lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))  # noqa: E731
    workload = loaded(model, (classes(400), classes(50)), loss="cross_entropy", batch_size=23)
    assert ran(workload, updates=10, rows=FEW).error is None  # 24 rows


def test_permuted_labels_of_the_small_set_can_be_memorised_too() -> None:
    workload = loaded(lambda: net(hidden=64), (classes(400), classes(50)), loss="cross_entropy",
                      optimizer=Optimizer(name="adam", lr=0.03))  # fmt: skip
    rows = Rows(per_class=8, labels="permuted")
    assert ran(workload, updates=3_000, rows=rows, stop_when_memorised=True).stopped_by == "memorised"
    zeroed = ran(workload, updates=300, rows=Rows(per_class=8, inputs="zeroed"), stop_when_memorised=True)
    assert zeroed.stopped_by == "length"
    assert zeroed.final_metric == pytest.approx(1 / 3, abs=0.2)


def test_rows_that_are_laid_end_to_end_are_read_anew_for_each_batch() -> None:
    words = [torch.randint(0, 20, (3 + row % 4,), generator=torch.Generator().manual_seed(row)) for row in range(90)]

    def collate(rows: Any) -> Any:
        texts, labels = zip(*rows, strict=True)
        starts = torch.tensor([0, *(len(text) for text in texts[:-1])]).cumsum(0)
        return (torch.cat(texts), starts), torch.tensor(labels)

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(20, 3)

        def forward(self, ids: Tensor, starts: Tensor) -> Tensor:
            return self.bag(ids, starts)

    rows: Any = [(text, row % 3) for row, text in enumerate(words)]
    loader: DataLoader[Any] = DataLoader(rows, 16, collate_fn=collate)
    workload = loaded(Bag, (loader, loader), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.1))
    result = ran(workload, rows=FEW, updates=10, regularised=False)
    assert result.outcome is Outcome.COMPLETED, result.error
    assert all_hashes(workload, workload.train, seconds=5.0) is None
