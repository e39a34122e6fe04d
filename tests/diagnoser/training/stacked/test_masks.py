"""Does each trial of a stack drop out what it would drop out alone?"""

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

from diagnoser.training.stacked import masks as masks_module
from diagnoser.training.stacked.masks import Masks, generators_like_lone
from diagnoser.training.stacked.unstackable import Unstackable

CPU = torch.device("cpu")
N, STEPS, RATE = 3, 20, 0.1


def states(trials: int = N) -> list[Tensor]:
    """What torch's generator holds where each lone trial begins."""
    found = []
    for seed in range(trials):
        torch.manual_seed(100 + seed)
        torch.rand(seed)  # a trial may have drawn before
        found.append(torch.get_rng_state())
    return found


def alone(function: Callable[[Tensor], Tensor], given: Tensor, *, shared: bool) -> Tensor:
    answers = []
    for row, state in enumerate(states()):
        torch.set_rng_state(state)
        answers.append(function(given.clone() if shared else given[row].clone()))
    return torch.stack(answers)


def stacked(function: Callable[[Tensor], Tensor], given: Tensor, *, shared: bool = False) -> tuple[Tensor, Masks]:
    masks = Masks(generators_like_lone(states(), CPU))
    with masks:
        batched = vmap(lambda x, _: function(x), in_dims=(None if shared else 0, 0), randomness="error")
        return batched(given, torch.zeros(N)), masks


X = torch.randn(N, 2, 4, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))  # (N, B, C, H, W)

DROPPING: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": lambda x: F.dropout(x, 0.3),
    "twice": lambda x: F.dropout(F.dropout(x, 0.3), 0.1),
    "torch.dropout": lambda x: torch.dropout(x, 0.3, train=True),
    "torch.feature_dropout": lambda x: torch.feature_dropout(x, 0.3, train=True),
    "dropout1d": lambda x: F.dropout1d(x[:, :, 0], 0.3),
    "dropout1d without a batch": lambda x: F.dropout1d(x[0, :, 0], 0.3),
    "dropout2d": lambda x: F.dropout2d(x, 0.3),
    "dropout3d": lambda x: F.dropout3d(x[:, :, None], 0.3),
    "the module": nn.Dropout(0.2),
    "transposed": lambda x: F.dropout(x.transpose(1, 2), 0.3),
    "channels last": lambda x: F.dropout(x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), 0.3),
    "every other": lambda x: F.dropout(x[:, ::2], 0.3),
    "expanded": lambda x: F.dropout(x[:, :1].expand(-1, 4, -1, -1), 0.3),
    "attention": lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1, dropout_p=0.2),
    "causal attention": lambda x: F.scaled_dot_product_attention(x, x, x, None, 0.2, True),
    "attention under a mask": lambda x: F.scaled_dot_product_attention(
        x, x, x, torch.ones(5, 5, dtype=torch.bool).tril(), dropout_p=0.2
    ),
    "attention with a row that may look nowhere": lambda x: F.scaled_dot_product_attention(
        x, x, x, torch.ones(5, 5, dtype=torch.bool).tril(-1), dropout_p=0.2
    ),
    "attention with a bias": lambda x: F.scaled_dot_product_attention(
        x, x, x, torch.arange(25, dtype=x.dtype).view(5, 5), dropout_p=0.2, scale=0.7
    ),
    "attention with a negative scale": lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.2, scale=-0.7),
    "attention in groups": lambda x: F.scaled_dot_product_attention(
        x, x[:, :2], x[:, :2], dropout_p=0.2, enable_gqa=True
    ),
}  # fmt: skip


@pytest.mark.parametrize("shared", [False, True], ids=["own inputs", "one input for all"])
@pytest.mark.parametrize("function", DROPPING.values(), ids=DROPPING.keys())
def test_a_stack_computes_what_each_trial_computes_alone_to_the_last_bit(
    function: Callable[[Tensor], Tensor], shared: bool
) -> None:
    given = X[0] if shared else X
    wanted = alone(function, given, shared=shared)
    found, masks = stacked(function, given, shared=shared)
    assert torch.equal(found, wanted)
    assert masks.intercepted


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_masks_are_those_of_the_type_of_number(dtype: torch.dtype) -> None:
    for function in (DROPPING["dropout"], DROPPING["attention"]):
        assert torch.equal(stacked(function, X.to(dtype))[0], alone(function, X.to(dtype), shared=False))


@pytest.mark.parametrize("name", ["dropout", "attention", "causal attention", "attention under a mask"])
def test_under_autocast_too(name: str) -> None:
    given = X.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wanted, found = alone(DROPPING[name], given, shared=False), stacked(DROPPING[name], given)[0]
    assert found.dtype == wanted.dtype
    assert torch.equal(found, wanted)


def test_in_place_the_input_itself_is_changed() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        F.dropout(y, 0.3, inplace=True)
        return F.dropout2d(y, 0.3, inplace=True) + y

    assert torch.equal(stacked(function, X)[0], alone(function, X, shared=False))


def test_in_place_on_an_input_of_all_trials_is_refused() -> None:
    with pytest.raises(Unstackable, match="in place on a tensor that all trials share"):
        stacked(lambda x: F.dropout(x, 0.3, inplace=True), X[0].clone(), shared=True)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own words for its attention inside vmap
@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.dropout(x, 0.0),
        lambda x: F.dropout(x, 1.0),
        lambda x: F.dropout(x, 0.5, training=False),
        lambda x: F.dropout(x[:, :0], 0.5),
        lambda x: F.scaled_dot_product_attention(x, x, x),
    ],
    ids=["p of 0", "p of 1", "eval mode", "nothing to drop", "attention without dropout"],
)
def test_where_torch_draws_nothing_nothing_is_drawn(function: Callable[[Tensor], Tensor]) -> None:
    wanted = alone(function, X, shared=False)
    found, masks = stacked(function, X)
    assert torch.allclose(found, wanted, rtol=1e-14, atol=1e-15)
    assert not masks.intercepted
    kept = generators_like_lone(states(), CPU)
    assert all(torch.equal(a.get_state(), b.get_state()) for a, b in zip(masks.generators, kept, strict=True))


def test_a_wrong_probability_is_wrong_as_ever() -> None:
    with pytest.raises(ValueError, match="has to be between 0 and 1"):
        stacked(lambda x: F.dropout(x, 1.5), X)


def test_trials_drop_out_different_units() -> None:
    found, _ = stacked(DROPPING["dropout"], X[0], shared=True)
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])


def test_one_input_for_all_is_not_changed() -> None:
    given = X[0].clone()
    stacked(DROPPING["dropout"], given, shared=True)
    assert torch.equal(given, X[0])


def test_torchs_own_generator_is_left_alone() -> None:
    generators = generators_like_lone(states(), CPU)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with Masks(generators):
        vmap(DROPPING["dropout"], randomness="error")(X)
    assert torch.equal(torch.get_rng_state(), before)


def test_outside_the_masks_vmap_refuses_as_ever() -> None:
    stacked(DROPPING["dropout"], X)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(DROPPING["dropout"], randomness="error")(X)


def test_chance_other_than_dropout_is_still_refused() -> None:
    for function in (lambda x: x + torch.rand(2, 4, 5, 6), lambda x: F.alpha_dropout(x, 0.1, training=True)):
        with pytest.raises(RuntimeError, match="randomness error mode"):
            stacked(function, X)


def test_dropout_inside_the_models_own_vmap_is_refused() -> None:
    with pytest.raises(Unstackable, match=r"inside a torch\.func transform"):
        stacked(vmap(lambda row: F.dropout(row, 0.1), randomness="different"), X)


def test_a_torch_without_the_means_is_a_reason_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diagnoser.training.stacked.levels", None)
    masks_module._levels.cache_clear()
    monkeypatch.delattr("diagnoser.training.stacked.levels", raising=False)
    try:
        with pytest.raises(Unstackable, match="has no way to give each trial its own dropout"):
            stacked(DROPPING["dropout"], X)
    finally:
        masks_module._levels.cache_clear()


# Whole trainings.


class Transformer(nn.Module):
    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=batch_first)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, 6)
        return self.head(self.layer(self.embed(x)).mean(1))


class Attending(nn.Module):
    def __init__(self, *, need_weights: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.need_weights = need_weights

    def forward(self, x: Tensor) -> Tensor:
        answer, weights = self.attention(x, x, x, need_weights=self.need_weights)
        extra = 0.0 if weights is None else weights.square().mean()
        return self.head(answer.mean(1)) + extra


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(30, 16), nn.Dropout(0.5, inplace=True), nn.ReLU(), nn.Linear(16, 3)
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 5)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.3),
        nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(48, 3),
    )  # fmt: skip


MODELS: dict[str, Callable[[], nn.Module]] = {
    "an MLP": mlp,
    "a CNN with Dropout2d and BatchNorm": cnn,
    "a transformer": Transformer,
    "a transformer with time first": lambda: Transformer(batch_first=False),
    "attention": lambda: Attending(need_weights=False),
    "attention that returns its weights": lambda: Attending(need_weights=True),
}


class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4))

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C)
        return torch.einsum("btc,cd->bdt", x, self.weight)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 4)
        return torch.stack([state := self.cell(x[:, step], state) for step in range(5)], 1)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 4),
    "one convolution": lambda: nn.Conv1d(5, 4, 3),
    "a convolution of pictures": lambda: nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv2d(1, 3, 3, padding=1)),
    "a strided one": lambda: nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv2d(1, 3, 3, stride=2, padding=1)),
    "recurrent cells": Recurrent,
    "a transposed one": lambda: nn.ConvTranspose1d(5, 4, 3),
    "BatchNorm": lambda: nn.BatchNorm1d(5),
    "LayerNorm": lambda: nn.LayerNorm(6),
    "GroupNorm": lambda: nn.GroupNorm(5, 5),
    "pooling": lambda: nn.Sequential(nn.Conv1d(5, 4, 3), nn.MaxPool1d(2)),
    "average pooling": lambda: nn.Sequential(nn.Conv1d(5, 4, 3), nn.AdaptiveAvgPool1d(2)),
    "attention": lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True),
    "einsum": Einsum,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own words for some layers inside vmap
@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS.keys())
def test_the_masks_behind_every_kind_of_layer_are_those_of_the_lone_trial(build: Callable[[], nn.Module]) -> None:
    models, begins = models_of(build), states()
    x, _ = batches()[0]
    names = [name for name, _ in models[0].named_parameters()]
    weights = {name: torch.stack([dict(model.named_parameters())[name].detach() for model in models]) for name in names}
    base = copy.deepcopy(models[0])
    buffers = {name: torch.stack([buffer] * N) for name, buffer in base.named_buffers()}
    with Masks(generators_like_lone(begins, CPU)):
        found = vmap(
            lambda given, held: F.dropout(functional_call(base, (given, held), (x,)), 0.5), randomness="error"
        )(weights, buffers)
    for row, (model, state) in enumerate(zip(models, begins, strict=True)):
        torch.set_rng_state(state)
        wanted = F.dropout(model(x), 0.5)
        assert torch.equal(found[row] == 0, wanted == 0)
        torch.testing.assert_close(found[row], wanted.detach(), rtol=1e-12, atol=1e-12)


def models_of(build: Callable[[], nn.Module]) -> list[nn.Module]:
    models = []
    for seed in range(N):
        torch.manual_seed(seed)
        models.append(build().double())
    return models


def batches() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(9)
    return [
        (
            torch.randn(8, 5, 6, dtype=torch.float64, generator=generator),
            torch.randint(0, 3, (8,), generator=generator),
        )
        for _ in range(STEPS)
    ]


def train_alone(model: nn.Module, state: Tensor, *, steps: int = STEPS) -> list[float]:
    """Train a trial as anybody would."""
    torch.set_rng_state(state)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    losses = []
    for x, y in batches()[:steps]:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


class Stack:
    """Trials as one batched model, by hand."""

    def __init__(self, models: Sequence[nn.Module], masks: Masks) -> None:
        self.base, self.masks = copy.deepcopy(models[0]), masks
        self.weights = self._together([dict(model.named_parameters()) for model in models])
        self.buffers = self._together([dict(model.named_buffers()) for model in models])

    @staticmethod
    def _together(of: list[dict[str, Any]]) -> dict[str, Tensor]:
        return {name: torch.stack([one[name].detach() for one in of]) for name in of[0]}

    def step(self, x: Tensor, y: Tensor) -> list[float]:
        for weight in self.weights.values():
            weight.requires_grad_()

        def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            return F.cross_entropy(functional_call(self.base, (weights, buffers), (x,)), y)

        with self.masks:
            losses = vmap(loss, randomness="error")(self.weights, self.buffers)
        losses.sum().backward()
        self.weights = {name: (w - RATE * w.grad).detach() for name, w in self.weights.items() if w.grad is not None}
        return losses.tolist()

    def keep(self, rows: list[int]) -> None:
        self.masks.keep(rows)
        self.weights = {name: tensor[rows] for name, tensor in self.weights.items()}
        self.buffers = {name: tensor[rows] for name, tensor in self.buffers.items()}


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS.keys())
def test_a_stack_trains_like_its_lone_twins(build: Callable[[], nn.Module]) -> None:
    models, begins = models_of(build), states()
    stack = Stack(models, Masks(generators_like_lone(begins, CPU)))
    found = [stack.step(x, y) for x, y in batches()]
    wanted = [train_alone(model, state) for model, state in zip(models, begins, strict=True)]
    assert stack.masks.intercepted
    for row, losses in enumerate(wanted):
        assert [step[row] for step in found] == pytest.approx(losses, rel=0, abs=1e-12)
        for name, weight in models[row].named_parameters():
            torch.testing.assert_close(stack.weights[name][row], weight.detach(), rtol=0, atol=1e-12)
    assert len({losses[-1] for losses in wanted}) == N


def test_without_the_masks_of_the_lone_trial_the_twins_part() -> None:
    models, begins = models_of(mlp), states()
    stack = Stack(models, Masks(generators_like_lone(list(reversed(begins)), CPU)))
    found = [stack.step(x, y)[0] for x, y in batches()]
    assert found != pytest.approx(train_alone(models[0], begins[0]), rel=0, abs=1e-3)


def test_after_a_repack_the_others_go_on_the_same() -> None:
    models, begins = models_of(Transformer), states()
    stack = Stack(models, Masks(generators_like_lone(begins, CPU)))
    steps = batches()
    half = STEPS // 2
    for x, y in steps[:half]:
        stack.step(x, y)
    stack.keep([2, 0])
    found = [stack.step(x, y) for x, y in steps[half:]]
    for row, trial in enumerate((2, 0)):
        wanted = train_alone(models[trial], begins[trial])[half:]
        assert [losses[row] for losses in found] == pytest.approx(wanted, rel=0, abs=1e-12)


def test_masks_that_were_not_repacked_are_our_mistake() -> None:
    stack = Stack(models_of(mlp), Masks(generators_like_lone(states(2), CPU)))
    with pytest.raises(AssertionError, match="repacked"):
        stack.step(*batches()[0])


def test_a_model_that_drops_nothing_needs_no_masks() -> None:
    stack = Stack(models_of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(30, 3))), Masks([]))
    stack.step(*batches()[0])
    assert not stack.masks.intercepted


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_each_trial_draws_from_a_generator_of_its_own() -> None:
    device = torch.device("cuda")

    def run(order: list[int]) -> Tensor:
        masks = Masks(generators_like_lone([states()[row] for row in order], device))
        with masks:
            return vmap(DROPPING["attention"], randomness="error")(X.to(device)[order])

    assert torch.equal(run([0, 1, 2])[[2, 0, 1]], run([2, 0, 1]))
