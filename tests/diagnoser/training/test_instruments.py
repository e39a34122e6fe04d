"""Are gradients, weights and activations measured right, and seldom enough not to be felt?"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.training.looks import NORM_EVERY
from diagnoser.training.workload import Workload
from tests.helpers.training import classes, loaded, net, ran, two

CHECKED = 24  # all rows of the slow twin, fewer than the check batch may have


class Picture(nn.Module):
    """Convolution, ReLU, BatchNorm, sigmoid and tanh: every kind of activation that is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.first = nn.ReLU()
        self.norm = nn.BatchNorm1d(96)
        self.hidden = nn.Linear(96, 8)
        self.second = nn.Sigmoid()
        self.third = nn.Linear(8, 8)
        self.fourth = nn.Tanh()
        self.head = nn.Linear(8, 3)
        with torch.no_grad():
            self.conv.bias[:2] = -5.0  # type: ignore[index]  # two channels are off on every row
            self.hidden.bias[:3] = 9.0
            self.third.bias[:5] = -7.0

    def forward(self, x: Tensor) -> Tensor:
        seen = self.norm(self.first(self.conv(x.reshape(-1, 1, 4, 4))).flatten(1))
        return self.head(self.fourth(self.third(self.second(self.hidden(seen)))))


def pictures() -> Workload:
    x, y = classes(CHECKED, features=16)
    return loaded(Picture, ((x, y), (x, y)), loss="cross_entropy", batch_size=8, shuffle=False)


def slow_twin(workload: Workload, updates: int) -> Iterator[dict[str, Any]]:
    """Train by hand and measure everything at every update, one number at a time."""
    x, y = workload.train.head(CHECKED)
    model: Any = workload.build_model(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    weights = {name.rpartition(".")[0]: p for name, p in model.named_parameters() if p.ndim >= 2}
    for update in range(updates):
        rows = slice(8 * (update % 3), 8 * (update % 3) + 8)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        found: dict[str, Any] = {"gradient": sum(float(p.grad.norm()) ** 2 for p in model.parameters()) ** 0.5}
        before = {name: weight.detach().clone() for name, weight in weights.items()}
        for name, weight in weights.items():
            found[name] = [float(weight.grad.norm()), float(weight.detach().norm())]
        optimizer.step()
        for name, weight in weights.items():
            found[name].append(float((weight.detach() - before[name]).norm()) / found[name][1])
        found["shares"] = _shares(model, x)
        yield found


def _shares(model: Any, x: Tensor) -> dict[str, float]:
    kept = {name: buffer.clone() for name, buffer in model.norm.named_buffers()}
    with torch.no_grad():
        seen = model.first(model.conv(x.reshape(-1, 1, 4, 4)))
        dead = [all(float(v) <= 0 for v in seen[:, channel].flatten()) for channel in range(6)]
        hidden = model.hidden(model.norm(seen.flatten(1)))
        third = model.third(model.second(hidden))
    model.norm.load_state_dict(kept, strict=False)
    return {
        "conv": sum(dead) / 6,
        "hidden": sum(abs(float(v)) > 5 for v in hidden.flatten()) / hidden.numel(),
        "third": sum(abs(float(v)) > 2.5 for v in third.flatten()) / third.numel(),
    }


def test_instruments_agree_with_a_slow_twin() -> None:
    workload, updates = pictures(), 60
    result = ran(workload, updates=updates, evaluations=0, instruments=True)
    twin = list(slow_twin(workload, updates))
    assert [trace.layer for trace in result.layers] == ["conv", "hidden", "third", "head"]
    for trace in result.layers:
        for look, update in enumerate(trace.updates):
            gradient, weight, ratio = twin[update][trace.layer]
            assert trace.gradient_norm[look] == pytest.approx(gradient, rel=1e-4)
            assert trace.weight_norm[look] == pytest.approx(weight, rel=1e-5)
            assert trace.update_ratio[look] == pytest.approx(ratio, rel=1e-3)
        shares = trace.dead_share if trace.layer == "conv" else trace.saturated_share
        wanted = [twin[u]["shares"][trace.layer] for u in trace.activation_updates] if trace.layer != "head" else []
        assert shares == pytest.approx(wanted)
    assert result.layers[0].dead_share[0] == pytest.approx(1 / 3)
    every = result.gradient_norm_every
    assert len(result.gradient_norms) == len(range(0, updates, every)) >= 20
    assert result.gradient_norms == pytest.approx([one["gradient"] for one in twin[::every]], rel=1e-4)


def test_units_that_are_off_or_saturated_are_counted() -> None:
    def model() -> nn.Module:
        first, second = nn.Linear(4, 8), nn.Linear(8, 8)
        nn.init.constant_(first.bias, -100.0)  # every unit off
        nn.init.constant_(second.bias, 50.0)  # every unit saturated
        return nn.Sequential(first, nn.ReLU(), second, nn.Sigmoid(), nn.Linear(8, 3))

    result = ran(loaded(model, two(), loss="cross_entropy"), updates=40, instruments=True)
    first, second, third = result.layers
    assert (first.layer, second.layer, third.layer) == ("0", "2", "4")
    assert set(first.dead_share) == {1.0}
    assert set(first.gradient_norm) == {0.0}
    assert set(second.saturated_share) == {1.0}
    assert all(0 < ratio < 1 for ratio in third.update_ratio)
    assert third.dead_share == third.saturated_share == third.activation_updates == ()


@pytest.mark.parametrize(
    ("updates", "weights", "activations", "norms"),
    [
        (5, {0, 2, 4}, {2, 3, 4}, 5),  # short: what the rules ask for, which is more than a twentieth of the work
        (100, {0, 4, 49, 99}, {49, 74, 99}, 20),
        (1_000, 12, 10, 100),  # one look at the activations costs 0.5 + 256 / 64 / 3 updates: 10.9 of them are 2 %
    ],
)
def test_the_looks_are_as_many_as_their_share_of_the_work_allows(
    updates: int, weights: set[int] | int, activations: set[int] | int, norms: int
) -> None:
    x, y = classes(512)
    workload = loaded(net, ((x, y), (x, y)), loss="cross_entropy", batch_size=64)
    result = ran(workload, updates=updates, evaluations=0, instruments=True)
    seen = result.layers[0]
    for found, wanted in ((seen.updates, weights), (seen.activation_updates, activations)):
        assert (len(found) if isinstance(wanted, int) else set(found)) == wanted
        assert found[-1] == updates - 1
    assert len(result.gradient_norms) == norms


def test_clipping_gives_the_norm_of_every_update() -> None:
    given: dict[str, Any] = {"loss": "cross_entropy", "shuffle": False}
    clipped = ran(loaded(net, two(), gradient_clip_norm=1e9, **given), updates=300, evaluations=0, instruments=True)
    plain = ran(loaded(net, two(), **given), updates=300, evaluations=0, instruments=True)
    assert (clipped.gradient_norm_every, len(clipped.gradient_norms)) == (1, 300)
    assert (plain.gradient_norm_every, len(plain.gradient_norms)) == (NORM_EVERY, 30)
    assert clipped.gradient_norms[::NORM_EVERY] == pytest.approx(plain.gradient_norms, rel=1e-5)


def test_norms_stand_beside_updates_when_batches_are_accumulated() -> None:
    workload = loaded(net, two(), loss="cross_entropy", accumulate_batches=2)
    result = ran(workload, updates=40, evaluations=0, instruments=True)
    assert len(result.losses) == 80
    assert (result.gradient_norm_every, len(result.gradient_norms)) == (2, 20)


def test_sparse_gradients_are_no_trouble() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20, 4, sparse=True)
            self.head = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embed(x).flatten(1))

    x = torch.randint(0, 20, (64, 3), generator=torch.Generator().manual_seed(0))
    result = ran(loaded(Words, ((x, x[:, 0] % 3),) * 2, loss="cross_entropy"), updates=10, instruments=True)
    assert result.error is None
    assert min(result.layers[0].gradient_norm) > 0
    assert min(result.gradient_norms) > 0


def _noisy() -> nn.Module:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 0.1 * torch.randn_like(x)

    return nn.Sequential(Noisy(), net(), nn.Dropout(0.1))


@pytest.mark.parametrize("model", [net, _noisy])
def test_what_is_looked_at_goes_on_as_if_it_were_not(model: Callable[[], nn.Module]) -> None:
    workload = loaded(model, two(), loss="cross_entropy")
    plain = ran(workload, updates=60)
    watched = ran(workload, updates=60, instruments=True)
    assert watched.losses == plain.losses
    assert watched.evaluations == plain.evaluations
