"""Does one step for all trials do what the lone optimizers do?

The lone optimizers are the slow twin: they hold the settings for both, and make their own steps beside the stack.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from torch.optim import lr_scheduler as schedulers

from diagnoser.spec.fields import Scheduler
from diagnoser.training.optimisers import build_schedule
from diagnoser.training.stacked import fused_rules
from diagnoser.training.stacked.optimisers import StackedOptimizer, clip_, layout
from diagnoser.training.stacked.unstackable import Unstackable

FIRST, SECOND = ((5, 3), (3,)), ((2, 2, 2),)  # shapes of the parameters of two groups
SPREAD = ({"lr": 0.1}, {"lr": 0.03}, {"lr": 0.01})
SAME = ({"lr": 0.05},) * 3

# What each of three trials says; the second group of each has a tenth of the lr and no weight decay.
CASES: dict[str, tuple[type[Optimizer], Sequence[dict[str, Any]]]] = {
    "sgd": (SGD, SPREAD),
    "sgd, all alike": (SGD, SAME),
    "sgd, momentum": (SGD, [{**s, "momentum": 0.9} for s in SPREAD]),
    "sgd, all of it": (
        SGD,
        [
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1},
            {"lr": 0.01, "momentum": 0.5, "dampening": 0.0, "weight_decay": 0.0},
            {"lr": 0.02, "momentum": 0.0, "dampening": 0.5, "weight_decay": 0.01},
        ],
    ),
    "sgd, nesterov": (
        SGD,
        [{**s, "momentum": m, "nesterov": True, "weight_decay": 0.01} for s, m in zip(SPREAD, (0.9, 0.8, 0.5), strict=True)],
    ),
    "sgd, nesterov alike": (SGD, [{**s, "momentum": 0.9, "nesterov": True, "maximize": True} for s in SAME]),
    "adam": (Adam, SPREAD),
    "adam, all alike": (Adam, [{**s, "weight_decay": 0.01} for s in SAME]),
    "adam, all of it": (
        Adam,
        [
            {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1, "maximize": True},
            {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.0, "maximize": True},
            {"lr": 0.02, "betas": (0.0, 0.99), "eps": 1e-6, "weight_decay": 0.01, "maximize": True},
        ],
    ),
    "adam, amsgrad": (Adam, [{**s, "amsgrad": True, "eps": e} for s, e in zip(SPREAD, (1e-8, 1e-4, 0.1), strict=True)]),
    "adamw": (AdamW, [{**s, "weight_decay": w} for s, w in zip(SPREAD, (0.0, 0.1, 1.0), strict=True)]),
    "adamw, amsgrad": (
        AdamW,
        [{**s, "amsgrad": True, "betas": b} for s, b in zip(SAME, ((0.9, 0.99), (0.8, 0.99), (0.9, 0.9)), strict=True)],
    ),
    "rmsprop": (RMSprop, SPREAD),
    "rmsprop, all of it": (
        RMSprop,
        [
            {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "momentum": 0.9, "weight_decay": 0.1},
            {"lr": 0.02, "alpha": 0.9, "eps": 1e-4, "momentum": 0.0, "weight_decay": 0.0},
            {"lr": 0.03, "alpha": 0.5, "eps": 1e-6, "momentum": 0.5, "weight_decay": 0.01},
        ],
    ),
    "rmsprop, centered": (RMSprop, [{**s, "centered": True, "maximize": True} for s in SPREAD]),
    "rmsprop, centered, momentum": (RMSprop, [{**s, "centered": True, "momentum": 0.9} for s in SAME]),
    "adagrad": (Adagrad, SPREAD),
    "adagrad, all of it": (
        Adagrad,
        [
            {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-10, "weight_decay": 0.1},
            {"lr": 0.01, "lr_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-6, "weight_decay": 0.0},
            {"lr": 0.02, "lr_decay": 1.0, "initial_accumulator_value": 0.1, "eps": 1e-3, "weight_decay": 0.01},
        ],
    ),
}  # fmt: skip
if "decoupled_weight_decay" in inspect.signature(Adam).parameters:  # since torch 2.7
    CASES["adam, decoupled"] = (Adam, [{**s, "weight_decay": 0.1, "decoupled_weight_decay": True} for s in SPREAD])

both_ways = pytest.mark.parametrize("fused", [True, False], ids=["kernels of torch", "all trials together"])
every_case = pytest.mark.parametrize("case", CASES)


class Twins:
    """A stack, and beside it the lone optimizers that it was made of, on parameters of their own."""

    def __init__(
        self,
        kind: type[Optimizer],
        settings: Sequence[dict[str, Any]],
        *,
        fused: bool,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        torch.manual_seed(0)
        self.lone = [self._lone(kind, setting, dtype) for setting in settings]
        arranged = [layout(one) for one in self.lone]
        self.parameters = [list(a.parameters) for a in arranged]
        self.weights = self.flat().clone()
        self.stack = StackedOptimizer(self.lone, arranged[0].columns, weights=self.weights, fused=fused)

    def _lone(self, kind: type[Optimizer], setting: dict[str, Any], dtype: torch.dtype) -> Optimizer:
        first = [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in FIRST]
        second = [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in SECOND]
        groups: list[dict[str, Any]] = [
            {"params": first},
            {"params": second, "lr": setting["lr"] / 10, "weight_decay": 0.0},
        ]
        return kind(groups, **setting)

    def flat(self) -> Tensor:
        return torch.stack([nn.utils.parameters_to_vector(p).detach() for p in self.parameters])  # (N, P)

    def gradient(self) -> Tensor:
        return torch.randn_like(self.weights)

    def step(self, gradient: Tensor | None = None) -> None:
        gradient = self.gradient() if gradient is None else gradient
        for row, parameters, one in zip(gradient, self.parameters, self.lone, strict=True):
            start = 0
            for parameter in parameters:
                parameter.grad = row[start : start + parameter.numel()].view_as(parameter).clone()
                start += parameter.numel()
            one.step()
        self.stack.step(self.weights, gradient)

    def keep(self, rows: list[int]) -> None:
        self.lone = [self.lone[row] for row in rows]
        self.parameters = [self.parameters[row] for row in rows]
        self.weights = self.weights[rows]
        self.stack.keep(torch.tensor(rows))

    def assert_equal(self, tolerance: float = 1e-12) -> None:
        wanted = self.flat()
        scale = max(1.0, float(wanted.abs().max()))
        assert float((self.weights - wanted).abs().max()) <= tolerance * scale


# ---------------------------------------------------------------------------------------------------- known answers


@both_ways
def test_the_first_steps_are_those_of_the_textbook(fused: bool) -> None:
    def moved(kind: type[Optimizer], settings: Sequence[dict[str, Any]], steps: int = 1) -> list[float]:
        lone = [kind([nn.Parameter(torch.ones(4, dtype=torch.float64))], **setting) for setting in settings]
        weights = torch.ones(len(lone), 4, dtype=torch.float64)
        stack = StackedOptimizer(lone, layout(lone[0]).columns, weights=weights, fused=fused)
        for _ in range(steps):
            stack.step(weights, torch.full_like(weights, 2.0))
        assert bool((weights == weights[:, :1]).all())
        return (1 - weights[:, 0]).tolist()

    rates = [{"lr": 0.1}, {"lr": 0.01}]
    assert moved(SGD, rates) == pytest.approx([0.2, 0.02])
    assert moved(SGD, [{"lr": 0.1, "momentum": 0.5}, {"lr": 0.1, "momentum": 0.0}], steps=2) == pytest.approx(
        [0.5, 0.4]
    )
    assert moved(SGD, [{"lr": 0.1, "weight_decay": 1.0}, {"lr": 0.1}]) == pytest.approx([0.3, 0.2])
    assert moved(Adam, rates) == pytest.approx([0.1, 0.01])  # the size of a gradient does not matter to its first step
    assert moved(AdamW, [{"lr": 0.1, "weight_decay": 1.0}, {"lr": 0.1, "weight_decay": 0.0}]) == pytest.approx(
        [0.2, 0.1]
    )
    assert moved(Adagrad, rates) == pytest.approx([0.1, 0.01])
    assert moved(RMSprop, [{"lr": 0.1, "alpha": 0.75}, {"lr": 0.1, "alpha": 0.96}]) == pytest.approx([0.2, 0.5])


def test_a_gradient_is_clipped_to_the_norm_that_was_asked_for() -> None:
    gradient = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [30.0, 40.0]])
    norms = clip_(gradient, 1.0)
    assert norms.tolist() == pytest.approx([5.0, 0.5, 0.0, 50.0])
    assert gradient.flatten().tolist() == pytest.approx([0.6, 0.8, 0.3, 0.4, 0.0, 0.0, 0.6, 0.8], abs=1e-6)


# ---------------------------------------------------------------------------------------------------- the slow twin


@every_case
@both_ways
def test_each_trial_goes_as_its_lone_twin(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    for _ in range(50):
        twins.step()
    twins.assert_equal()


@every_case
@both_ways
def test_so_it_does_in_single_precision(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused, dtype=torch.float32)
    for _ in range(5):
        twins.step()
    twins.assert_equal(1e-6)


@pytest.mark.parametrize(
    "case", ["sgd, all of it", "sgd, nesterov", "adam, all of it", "adamw, amsgrad", "adagrad, all of it"]
)
@both_ways
def test_so_it_does_when_the_lone_optimizers_are_fused(case: str, fused: bool) -> None:
    kind, made = CASES[case]
    twins = Twins(kind, [{**setting, "fused": True} for setting in made], fused=fused, dtype=torch.float32)
    for _ in range(5):
        twins.step()
    twins.assert_equal(1e-6)


@every_case
@both_ways
def test_when_trials_end_the_others_go_on_as_if_alone(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    twins.step()
    for kept in ([2, 0, 1], [2, 0], [1]):
        twins.keep(kept)
        for _ in range(7):
            twins.step()
        twins.assert_equal()
    twins.stack.keep([])


@both_ways
@pytest.mark.parametrize(
    "case", ["sgd, all of it", "adam, all of it", "adamw", "rmsprop, all of it", "adagrad, all of it"]
)
def test_trials_may_end_before_the_first_step(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    twins.keep([2, 1])
    for _ in range(5):
        twins.step()
    twins.assert_equal()


@both_ways
@pytest.mark.parametrize("name", ["cosine", "one_cycle", "exponential"])
@pytest.mark.parametrize(
    "case", ["sgd, momentum", "sgd, all alike", "adam", "adamw, amsgrad", "rmsprop, all of it", "adagrad"]
)
def test_schedules_are_followed(case: str, name: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    args: dict[str, Any] = {}
    if name == "one_cycle" and not ({"momentum", "betas"} & twins.lone[0].defaults.keys()):
        args["cycle_momentum"] = False
    wanted = Scheduler(name=name, interval="step", warmup=0.2, args=args)
    schedules = [build_schedule(wanted, one, total_updates=20, updates_per_epoch=5) for one in twins.lone]
    before = [one.param_groups[0]["lr"] for one in twins.lone]
    for _ in range(20):
        twins.step()
        for schedule in schedules:
            assert schedule is not None
            schedule.after_update()
    twins.assert_equal()
    assert [one.param_groups[0]["lr"] for one in twins.lone] != before


@both_ways
def test_a_schedule_of_one_trial_leaves_the_others_alone(fused: bool) -> None:
    twins = Twins(*CASES["adam"], fused=fused)
    halved = schedulers.StepLR(twins.lone[1], step_size=3, gamma=0.5)
    for _ in range(10):
        twins.step()
        halved.step()
    twins.assert_equal()


@both_ways
@pytest.mark.parametrize("case", ["sgd", "adam, all of it", "rmsprop", "adagrad"])
def test_a_schedule_may_compute_with_numpy(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    made = [schedulers.LambdaLR(one, lambda step: torch.ones(1).numpy()[0] / (step + 1)) for one in twins.lone]
    for _ in range(5):
        twins.step()
        for one, scheduler in zip(twins.lone, made, strict=True):
            scheduler.step()
            for group in one.param_groups:
                group.update({"betas": list(group["betas"])} if "betas" in group else {})
    twins.assert_equal(1e-7)  # of a float32 the lone optimizer goes on computing in single precision, and we do not


@both_ways
@pytest.mark.parametrize(("kind", "extra"), [(SGD, {"dampening": 0.3}), (SGD, {"nesterov": True}), (RMSprop, {})])
def test_momentum_may_come_and_go(kind: type[Optimizer], extra: dict[str, Any], fused: bool) -> None:
    twins = Twins(kind, [{"lr": 0.01, "momentum": 0.9, **extra} for _ in range(3)], fused=fused)
    begins_at = 0.5 if kind is RMSprop else 0.0  # torch's RMSprop fails where its first step had no momentum
    for values in (
        (begins_at, 0.9, 0.9),
        (0.9, 0.0, 0.9),
        (0.5, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.9, 0.8, 0.0),
        (0.9, 0.8, 0.7),
    ):
        for one, value in zip(twins.lone, values, strict=True):
            for group in one.param_groups:
                group["momentum"] = value
        for _ in range(3):
            twins.step()
            twins.assert_equal()


@both_ways
@pytest.mark.parametrize("case", ["sgd, all of it", "adam", "rmsprop", "adagrad, all of it"])
def test_a_frozen_group_stands_still_and_starts_where_its_lone_twin_starts(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    held = [parameters[-1] for parameters in twins.parameters]  # the second group
    before = twins.weights[:, -8:].clone()
    for step in range(10):
        thawed = step >= 4
        gradient = twins.gradient()
        for row, parameters, one in zip(gradient, twins.parameters, twins.lone, strict=True):
            start = 0
            for parameter in parameters:
                piece = row[start : start + parameter.numel()].view_as(parameter).clone()
                start += parameter.numel()
                parameter.grad = piece if thawed or not any(parameter is p for p in held) else None
            one.step()
        twins.stack.step(twins.weights, gradient, frozen=() if thawed else (1,))
        assert torch.equal(twins.weights[:, -8:], before) is not thawed
    twins.assert_equal()


fraction = st.floats(0.0, 0.99)
some_or_none = st.one_of(st.just(0.0), st.floats(1e-4, 0.5))
rate = st.floats(1e-4, 0.3)
NUMBERS: dict[type[Optimizer], dict[str, st.SearchStrategy[Any]]] = {
    SGD: {"momentum": st.one_of(st.just(0.0), fraction), "dampening": fraction, "weight_decay": some_or_none},
    Adam: {"betas": st.tuples(fraction, st.floats(0.5, 0.999)), "eps": st.floats(1e-8, 0.1), "weight_decay": some_or_none},
    AdamW: {"betas": st.tuples(fraction, st.floats(0.5, 0.999)), "eps": st.floats(1e-8, 0.1), "weight_decay": some_or_none},
    RMSprop: {
        "alpha": st.floats(0.5, 0.999), "eps": st.floats(1e-6, 0.1), "momentum": st.one_of(st.just(0.0), fraction),
        "weight_decay": some_or_none,
    },
    Adagrad: {
        "lr_decay": some_or_none, "eps": st.floats(1e-10, 0.1), "initial_accumulator_value": some_or_none,
        "weight_decay": some_or_none,
    },
}  # fmt: skip
SWITCHES: dict[type[Optimizer], tuple[str, ...]] = {
    SGD: (),
    Adam: ("amsgrad",),
    AdamW: ("amsgrad",),
    RMSprop: ("centered",),
    Adagrad: (),
}


@st.composite
def stacks(draw: st.DrawFn) -> tuple[type[Optimizer], list[dict[str, Any]], bool]:
    kind = draw(st.sampled_from(list(NUMBERS)))
    switches = {name: draw(st.booleans()) for name in (*SWITCHES[kind], "maximize")}
    numbers = st.fixed_dictionaries({"lr": rate, **NUMBERS[kind]})
    made = [{**setting, **switches} for setting in draw(st.lists(numbers, min_size=1, max_size=5))]
    if kind is SGD and draw(st.booleans()):
        made = [
            {**setting, "momentum": max(setting["momentum"], 0.1), "dampening": 0.0, "nesterov": True}
            for setting in made
        ]
    return kind, made, draw(st.booleans())


@given(drawn=stacks(), data=st.data())
@settings(max_examples=60)
def test_whatever_the_numbers_each_trial_goes_as_its_lone_twin(
    drawn: tuple[type[Optimizer], list[dict[str, Any]], bool], data: st.DataObject
) -> None:
    kind, made, fused = drawn
    twins = Twins(kind, made, fused=fused)
    for _ in range(25):
        twins.step()
    twins.assert_equal()
    rows = data.draw(st.lists(st.sampled_from(range(len(made))), unique=True, min_size=1))
    twins.keep(rows)
    for _ in range(25):
        twins.step()
    twins.assert_equal()


# ---------------------------------------------------------------------------------------------------- one and the others


@every_case
@both_ways
def test_a_trial_that_breaks_does_not_touch_the_bits_of_the_others(case: str, fused: bool) -> None:
    runs = []
    for broken in (False, True):
        twins = Twins(*CASES[case], fused=fused)
        for step in range(6):
            gradient = twins.gradient()
            if broken and step >= 2:
                gradient[1] = torch.tensor([float("nan"), float("inf"), 1e300])[step % 3]
            clip_(gradient, 1.0)
            twins.stack.step(twins.weights, gradient)
        runs.append(twins.weights)
    assert torch.equal(runs[0][[0, 2]], runs[1][[0, 2]])
    assert not bool(runs[1][1].isfinite().all())


@both_ways
@pytest.mark.parametrize("size", [1e160, 5e154], ids=["far beyond", "but not a hundredth of it"])
def test_an_overflowing_square_does_to_a_trial_what_it_does_to_its_lone_twin(size: float, fused: bool) -> None:
    twins = Twins(*CASES["adam, all of it"], fused=fused)  # the last one's second moment takes in 1 % of the square
    gradient = twins.gradient()
    gradient[2] = size
    twins.step(gradient)
    for _ in range(5):
        twins.step()
    twins.assert_equal()
    assert bool(twins.weights.isfinite().all())


@every_case
@both_ways
def test_the_gradient_is_left_as_it_was(case: str, fused: bool) -> None:
    twins = Twins(*CASES[case], fused=fused)
    for _ in range(2):
        gradient = twins.gradient()
        before = gradient.clone()
        twins.step(gradient)
        assert torch.equal(gradient, before)


def test_each_trial_is_clipped_as_its_lone_twin_is() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(6, 20, dtype=torch.float64) * torch.tensor([0.01, 0.1, 1.0, 10.0, 1.0, 1.0]).unsqueeze(1)
    gradient[4, 3], gradient[5, 3] = float("nan"), float("inf")
    lone = []
    norms = []
    for row in gradient:
        parameters = [
            nn.Parameter(torch.zeros(15, dtype=torch.float64)),
            nn.Parameter(torch.zeros(5, dtype=torch.float64)),
        ]
        for parameter, piece in zip(parameters, row.split([15, 5]), strict=True):
            parameter.grad = piece.clone()
        norms.append(nn.utils.clip_grad_norm_(parameters, 2.0))
        lone.append(torch.cat([p.grad for p in parameters if p.grad is not None]))
    found = clip_(gradient, 2.0)
    torch.testing.assert_close(found, torch.stack(norms), rtol=1e-12, atol=0.0, equal_nan=True)
    torch.testing.assert_close(gradient, torch.stack(lone), rtol=1e-12, atol=0.0, equal_nan=True)


def test_the_weights_may_be_what_autograd_looks_at() -> None:
    one = SGD([nn.Parameter(torch.ones(3))], lr=0.5)
    weights = torch.ones(1, 3, requires_grad=True)
    for fused in (True, False):
        stack = StackedOptimizer([one], layout(one).columns, weights=weights, fused=fused)
        weights.square().sum().backward()
        assert weights.grad is not None
        stack.step(weights, weights.grad)
        assert weights.tolist() == [[0.0] * 3]
        weights = torch.ones(1, 3, requires_grad=True)


def test_wide_models_get_torchs_kernels_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(kind: Any, width: int) -> str:
        one = kind([nn.Parameter(torch.zeros(width))], lr=0.1)
        stack = StackedOptimizer([one], layout(one).columns, weights=torch.zeros(1, width))
        return type(stack._rules[0]).__name__

    assert [rule(kind, 50) for kind in (SGD, Adam, RMSprop, Adagrad)] == ["Sgd", "Adam", "RmsProp", "Adagrad"]
    wide = [rule(kind, 50_000) for kind in (SGD, Adam, RMSprop, Adagrad)]
    assert wide == ["FusedSgd", "FusedAdam", "RmsProp", "FusedAdagrad"]
    monkeypatch.setitem(fused_rules._KERNELS, "adam", None)
    assert rule(Adam, 50_000) == "Adam"


def test_the_state_can_be_read_by_torchs_names() -> None:
    twins = Twins(*CASES["adam"], fused=True)
    twins.step()
    first, second = twins.stack.state
    assert first["exp_avg"].shape == (3, 18)
    assert second["exp_avg_sq"].shape == (3, 8)
    lone = twins.lone[1].state[twins.parameters[1][0]]
    torch.testing.assert_close(first["exp_avg"][1, :15], lone["exp_avg"].reshape(-1))


# ---------------------------------------------------------------------------------------------------- the layout


def test_parameters_lie_in_the_order_of_their_groups() -> None:
    a, b, frozen, unused = (nn.Parameter(torch.zeros(n)) for n in (2, 3, 4, 5))
    frozen.requires_grad_(False)
    one = SGD([{"params": [b, frozen]}, {"params": [unused]}, {"params": [a]}], lr=0.1)
    whole = layout(one)
    assert [p.numel() for p in whole.parameters] == [3, 5, 2]
    assert whole.columns == (slice(0, 3), slice(3, 8), slice(8, 10))
    part = layout(one, trained=[a, b])
    assert [p.numel() for p in part.parameters] == [3, 2]
    assert part.columns == (slice(0, 3), slice(3, 3), slice(3, 5))
    weights = torch.ones(1, 5)
    stack = StackedOptimizer([one], part.columns, weights=weights)
    stack.step(weights, torch.ones(1, 5))
    assert weights.tolist() == [pytest.approx([0.9] * 5)]


def test_parameters_that_do_not_fit_into_one_tensor_are_refused() -> None:
    single, double = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=torch.float64))
    with pytest.raises(Unstackable, match="several types"):
        layout(SGD([single, double], lr=0.1))
    with pytest.raises(Unstackable, match="neither float32 nor float64"):
        layout(SGD([nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))], lr=0.1))
