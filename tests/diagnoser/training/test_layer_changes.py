"""Does each change of the live model put the layers where it says, and leave the user's own model alone?"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.training import transforms
from diagnoser.training.layer_changes.changes import CHANGES
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Outcome, Transform
from tests.helpers.training import classes, loaded, net, ran, two

X = classes(16)[0]


def changed(model: Any, transform: Transform, data: Any = None) -> Any:
    workload = loaded(model, data or two(), loss="cross_entropy")
    return transforms.apply(workload.build_model(seed=0), workload, (transform,))


def late_norm(act: nn.Module | None = None) -> nn.Sequential:
    """BatchNorm behind the activation, and BatchNorm for an answer."""
    return nn.Sequential(
        nn.Linear(4, 16), act or nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 3), nn.BatchNorm1d(3, affine=False)
    )


class Late(nn.Module):
    """The same with functions, a pooling, and a dropout on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        x = self.norm(self.drop(F.max_pool2d(F.relu(self.conv(x)), 2)))
        return self.head(x.mean((2, 3)))


def pictures(rows: int = 48, *, side: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A bright dot, and in which of three rows of pixels beside one another it lies: gone where a stride skips it."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 3
    x = 0.1 * torch.randn(rows, 1, side, side, generator=draw)
    columns = torch.randint(side, (rows,), generator=draw)
    x[torch.arange(rows), 0, labels + 1, columns] += 3
    return x, labels


PICTURES = (pictures(), pictures(seed=1))


@pytest.mark.parametrize("act", [nn.ReLU(), nn.ReLU(inplace=True), nn.Tanh()])
def test_normalisation_moves_between_weights_and_activation_and_away_from_the_output(act: nn.Module) -> None:
    model = changed(lambda: late_norm(copy.deepcopy(act)), Transform.MOVE_NORM)
    first, function, norm, last, _ = model
    wanted = F.batch_norm(F.linear(X, first.weight, first.bias), None, None, training=True)
    wanted = F.linear(function(wanted.clone()), last.weight, last.bias)
    assert torch.allclose(model(X), wanted, atol=1e-5)
    assert not torch.equal(norm.running_mean, torch.zeros(16))  # and it still keeps its statistics
    assert list(model.state_dict()) == list(late_norm().state_dict())  # under its old name


def test_normalisation_moves_before_a_pooling_and_a_dropout_too() -> None:
    model = changed(Late, Transform.MOVE_NORM, PICTURES).eval()
    x = PICTURES[0][0]
    normed = nn.Module.__call__(model.norm, F.conv2d(x, model.conv.weight, model.conv.bias, padding=1))
    wanted = F.max_pool2d(F.relu(normed), 2)
    assert torch.allclose(model(x), model.head(wanted.mean((2, 3))), atol=1e-6)


def test_normalisation_stays_where_it_is_right_or_where_another_reads_what_it_would_change() -> None:
    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Any:
            x = self.first(x)
            return self.last(x + self.norm(F.relu(x)))

    def right() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def before_activation() -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))

    for model in (Shortcut, right, before_activation):
        with pytest.raises(Unsupported, match="no BatchNorm stands behind"):
            changed(model, Transform.MOVE_NORM)


def test_hidden_layers_get_the_normalisation_that_they_lack() -> None:
    model = changed(net, Transform.INSERT_NORM)
    first, _, last = model
    hidden = F.layer_norm(F.linear(X, first.weight, first.bias), (16,))
    assert torch.allclose(model(X), F.linear(F.relu(hidden), last.weight, last.bias), atol=1e-5)
    assert not hasattr(last, "norm_behind")
    assert "0.norm_behind.weight" in dict(model.named_parameters())  # so the optimizer trains it

    def convolutions() -> nn.Module:
        normed = [nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()]
        return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), *normed, nn.Flatten(), nn.Linear(128, 3))

    model = changed(convolutions, Transform.INSERT_NORM, PICTURES)
    assert isinstance(model[0].norm_behind, nn.GroupNorm)
    assert not hasattr(model[2], "norm_behind")
    assert float(model[0](PICTURES[0][0]).detach().std()) == pytest.approx(1, rel=0.01)


def test_what_feeds_an_attention_is_not_normalised() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.keys, self.values = nn.Linear(4, 8), nn.Linear(4, 8)
            self.wide, self.head = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Any:
            keys, values = self.keys(x), self.values(x)
            mixed = torch.softmax(keys @ keys.T, -1) @ values
            return self.head(F.relu(self.wide(mixed)))

    model = changed(Attending, Transform.INSERT_NORM)
    assert [hasattr(layer, "norm_behind") for layer in model.children()] == [False, False, True, False]


def test_dropout_moves_behind_the_last_batch_norm() -> None:
    def model() -> nn.Module:
        early = [nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 16), nn.BatchNorm1d(16)]
        return nn.Sequential(*early, nn.ReLU(), nn.Linear(16, 3))

    made = changed(model, Transform.MOVE_DROPOUT)
    assert made[2].p == 0
    assert made[-1].dropout_in_front.p == 0.3
    seen: list[Tensor] = []
    made[4].register_forward_hook(lambda _, args, __: seen.append(args[0]))
    one, two_ = made(X), made(X)
    assert torch.equal(seen[0], seen[1])  # what BatchNorm sees is the same for every mask
    assert not torch.equal(one, two_)  # what the last layer sees is not

    def late_as_well() -> nn.Module:
        return nn.Sequential(*list(model().children())[:-1], nn.Dropout(0.1), nn.Linear(16, 3))

    already = changed(late_as_well, Transform.MOVE_DROPOUT)
    assert (already[2].p, already[-2].p, hasattr(already[-1], "dropout_in_front")) == (0, 0.1, False)


def test_batch_norm_follows_its_data_again() -> None:
    def odd(**given: Any) -> Callable[[], nn.Module]:
        return lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, **given), nn.ReLU(), nn.Linear(8, 3))

    for given in ({"momentum": 0.99}, {"momentum": None}, {"track_running_stats": False}):
        model = changed(odd(**given), Transform.TRACK_NORM_STATISTICS)
        model[1].num_batches_tracked.zero_()
        before = model[0](X)
        model(X)
        assert torch.allclose(model[1].running_mean, 0.1 * before.mean(0), atol=1e-6)
        assert torch.allclose(model[1].running_var, 0.9 + 0.1 * before.var(0), atol=1e-5)


def test_where_momentum_is_right_statistics_are_gathered_anew_before_each_evaluation() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))

    data = two()
    made = changed(model, Transform.TRACK_NORM_STATISTICS, data)
    before = torch.get_rng_state()
    made.eval()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.allclose(made[1].running_mean, made[0](data[0][0]).mean(0), atol=0.01)
    assert not made[3].training
    made.train()
    with torch.no_grad():
        made[0].bias += 5
    made(data[0][0][:16])
    made.eval()
    assert torch.allclose(made[1].running_mean, made[0](data[0][0]).mean(0), atol=0.01)
    kept = made[1].running_mean.clone()
    made.train()
    made.eval()  # nothing was trained in between
    assert torch.equal(made[1].running_mean, kept)


def test_frozen_batch_norm_keeps_what_it_came_with() -> None:
    def model() -> nn.Module:
        made = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.BatchNorm1d(8))
        made[1].requires_grad_(requires_grad=False)
        return nn.Sequential(*made, nn.Linear(8, 3))

    made = changed(model, Transform.FROZEN_NORM_IN_EVAL).train()
    made(X)
    assert torch.equal(made[1].running_mean, torch.zeros(8))
    assert not torch.equal(made[4].running_mean, torch.zeros(8))  # the other one is trained


def test_the_first_stride_becomes_one() -> None:
    def model(first: nn.Module) -> Callable[[], nn.Module]:
        rest = [nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
        return lambda: nn.Sequential(copy.deepcopy(first), *copy.deepcopy(rest))

    x = PICTURES[0][0]
    conv = changed(model(nn.Conv2d(1, 4, 3, stride=2, padding=1)), Transform.FULL_RESOLUTION, PICTURES)
    assert torch.equal(conv[0](x), F.conv2d(x, conv[0].weight, conv[0].bias, padding=1))
    assert conv[2](x).shape[-1] == 4  # only the first
    pooled = changed(
        model(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2))), Transform.FULL_RESOLUTION, PICTURES
    )
    assert isinstance(pooled[0][1], nn.Identity)


def test_a_short_cut_gets_the_stride_of_its_block() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.short = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Conv2d(1, 4, 1, stride=2)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Any:
            return self.head((self.main(x) + self.short(x)).mean((2, 3)))

    made = changed(Block, Transform.FULL_RESOLUTION, PICTURES)
    assert (made.main.stride, made.short.stride) == ((1, 1), (1, 1))


@pytest.mark.parametrize("head", [nn.Linear(64, 3), nn.LazyLinear(3)])
def test_a_layer_behind_a_flatten_that_wants_the_smaller_map_is_said(head: nn.Module) -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Flatten(), copy.deepcopy(head))

    with pytest.raises(Unsupported, match="wants the smaller maps"):
        changed(model, Transform.FULL_RESOLUTION, PICTURES)


def test_a_pooling_that_is_a_function_is_said_and_no_later_layer_is_taken_for_the_first() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Any:
            return self.head(self.conv(F.max_pool2d(x, 2)).mean((2, 3)))

    with pytest.raises(Unsupported, match="a function in a forward"):
        changed(Pooled, Transform.FULL_RESOLUTION, PICTURES)


def test_patches_are_left_alone() -> None:
    with pytest.raises(Unsupported, match="patches"):
        changed(
            lambda: nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.Flatten(), nn.Linear(16, 3)),
            Transform.FULL_RESOLUTION,
            PICTURES,
        )


def test_half_of_what_the_last_layer_sees_is_dropped_in_training_alone() -> None:
    model = changed(net, Transform.INSERT_DROPOUT)
    seen: list[Tensor] = []
    model[2].register_forward_hook(lambda _, args, __: seen.append(args[0]))
    model(X.repeat(50, 1))
    model.eval()(X.repeat(50, 1))
    kept = (seen[0] != 0).sum() / (seen[1] != 0).sum()
    assert float(kept) == pytest.approx(0.5, abs=0.03)
    assert torch.allclose(seen[0][seen[0] != 0], 2 * seen[1][seen[0] != 0])


def test_shares_above_one_half_are_turned_round() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.9), nn.Linear(8, 8), nn.Dropout(0.2), nn.Linear(8, 3))

    made = changed(model, Transform.INVERT_DROPOUT)
    assert (made[1].p, made[3].p) == (pytest.approx(0.1), 0.2)


@pytest.mark.parametrize(
    ("transform", "kind", "function", "std"),
    [
        (Transform.GELU_ACTIVATIONS, nn.GELU, F.gelu, (2 / 4) ** 0.5),
        (Transform.TANH_ACTIVATIONS, nn.Tanh, torch.tanh, (2 / 404) ** 0.5),
    ],
)
def test_the_hidden_activation_is_exchanged_together_with_its_weights(
    transform: Transform, kind: type[nn.Module], function: Any, std: float
) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.gate, self.last = nn.Linear(4, 400), nn.Linear(400, 400), nn.Linear(400, 3)

        def forward(self, x: Tensor) -> Any:
            x = F.relu(self.first(x))
            return self.last(x * self.gate(x).sigmoid())

    modules = changed(lambda: net(hidden=400), transform)
    assert isinstance(modules[1], kind)
    assert float(modules[0].weight.detach().std()) == pytest.approx(std, rel=0.1)
    gated = changed(Gated, transform)
    hidden = function(gated.first(X))
    assert torch.equal(gated(X), gated.last(hidden * gated.gate(hidden).sigmoid()))  # a gate stays a gate


def test_the_users_own_model_stays_as_it_was() -> None:
    own = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.8), nn.Linear(8, 3))
    own[2].requires_grad_(requires_grad=False)
    kind, before, text = type(own[2]), copy.deepcopy(own.state_dict()), str(own)
    for transform in CHANGES:
        workload = loaded(own, two(), loss="cross_entropy")
        run = ran(workload, updates=2, transforms=(transform,))
        assert run.error is None or run.error.kind == "Unsupported"
    assert str(own) == text
    assert type(own[2]) is kind
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in own.modules())
    assert all(torch.equal(before[name], value) for name, value in own.state_dict().items())


CANNOT: dict[Transform, Callable[[], nn.Module]] = {
    Transform.MOVE_NORM: net,
    Transform.INSERT_NORM: lambda: nn.Linear(4, 3),
    Transform.MOVE_DROPOUT: lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3)),
    Transform.TRACK_NORM_STATISTICS: net,
    Transform.FROZEN_NORM_IN_EVAL: late_norm,
    Transform.FULL_RESOLUTION: net,
    Transform.INSERT_DROPOUT: lambda: nn.Linear(4, 3),
    Transform.INVERT_DROPOUT: lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3)),
    Transform.GELU_ACTIVATIONS: lambda: nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)),
    Transform.TANH_ACTIVATIONS: lambda: nn.Linear(4, 3),
}


@pytest.mark.parametrize("transform", CANNOT)
def test_where_there_is_nothing_to_change_the_run_says_so(transform: Transform) -> None:
    result = ran(loaded(CANNOT[transform], two(), loss="cross_entropy"), updates=1, transforms=(transform,))
    assert result.outcome is Outcome.USER_ERROR
    assert result.error is not None
    assert result.error.kind == "Unsupported"
    assert len(result.error.message) > 20
