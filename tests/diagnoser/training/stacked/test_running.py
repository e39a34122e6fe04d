"""Trials that are trained together give what each of them gives alone."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.records import JsonValue
from diagnoser.spec.fields import EarlyStopping, Ema, Optimizer, ParameterGroup, Scheduler
from diagnoser.training.loop import run_trial
from diagnoser.training.stacked import decisions, running, trying
from diagnoser.training.stacked.levels import stack_size
from diagnoser.training.stacked.running import run_trials
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Rows, Trial, TrialResult, kind_of
from tests.helpers.small_workload import CLASSES, FEATURES, blobs, net, workload

UPDATES = 40
EXACT, NEAR = 1e-9, 1e-5


class Residual(nn.Module):
    """A small convolutional net with BatchNorm and a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:  # (B, 8) -> (B, C)
        hidden = torch.relu(self.norm(self.first(x.reshape(-1, 1, 2, 4))))
        hidden = hidden + self.second(hidden)
        scores: Tensor = self.head(hidden.mean((2, 3)))
        return scores


class Tied(nn.Module):
    """Two uses of one weight, and a frozen layer in front."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(FEATURES, FEATURES).requires_grad_(requires_grad=False)
        self.one = nn.Linear(FEATURES, FEATURES)
        self.two = nn.Linear(FEATURES, FEATURES)
        self.two.weight = self.one.weight
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(torch.tanh(self.two(torch.tanh(self.one(self.frozen(x))))))
        return scores


class Attention(nn.Module):
    """A transformer of two tokens with dropout."""

    def __init__(self) -> None:
        super().__init__()
        # Without biases: a key's bias has a gradient of rounding noise alone, which Adam divides by itself.
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True, bias=False)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.layer(x.reshape(-1, 2, 4)).mean(1))
        return scores


MODELS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": net,
    "perceptron with dropout": lambda: net(0.3),
    "residual convolutional net with BatchNorm": Residual,
    "tied and frozen weights": Tied,
    "transformer with dropout": Attention,
}
OPTIMIZERS = {
    "SGD": Optimizer(name="sgd", lr=0.05),
    "SGD with Nesterov momentum": Optimizer(
        name="sgd", lr=0.05, momentum=0.9, weight_decay=1e-3, args={"nesterov": True}
    ),
    "Adam": Optimizer(name="adam", lr=1e-2),
    "AdamW": Optimizer(name="adamw", lr=1e-2, weight_decay=1e-2),
    "RMSprop": Optimizer(name="rmsprop", lr=1e-3, momentum=0.5),
    "Adagrad": Optimizer(name="adagrad", lr=1e-2),
}


def made(model: Callable[[], nn.Module] = net, *, double: bool = True, **spec: Any) -> Workload:
    """Build a workload, in double precision unless told otherwise."""
    kind = torch.float64 if double else torch.float32
    data = tuple((x.to(kind), y) for x, y in (blobs(96, seed=0), blobs(64, seed=1)))
    return workload(data=lambda: data, model=lambda: model().to(kind), **spec)


def together(given: Workload, trials: tuple[Trial, ...], *, largest: int | None = None) -> tuple[TrialResult, ...]:
    """Run trials as one stack, whether it pays or not."""
    given.stacking.gains |= {(kind_of(trial).model_dump_json(), n): (2.0,) for trial in trials for n in range(2, 20)}
    found: dict[int, TrialResult] = {}
    how = run_trials(given, trials, on_result=found.__setitem__, largest=largest)
    assert any(group.at_once > 1 for group in how), how
    return tuple(found[index] for index in range(len(trials)))


def numbers(result: TrialResult) -> TrialResult:
    """Leave out what was measured in seconds or megabytes, and how it was run."""
    return result.model_copy(update={"seconds": 0.0, "peak_memory_mb": None, "stacked": 1})


def assert_twins(stacked: TrialResult, alone: TrialResult, *, tolerance: float) -> None:
    """Compare every number of two results."""
    one, other = numbers(stacked).model_dump(), numbers(alone).model_dump()
    for key, value in one.items():
        _assert_near(value, other[key], key, tolerance)


def _assert_near(one: Any, other: Any, where: str, tolerance: float) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _assert_near(one[key], other[key], f"{where}.{key}", tolerance)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), where
        for i, pair in enumerate(zip(one, other, strict=True)):
            _assert_near(*pair, f"{where}[{i}]", tolerance)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=tolerance, abs=tolerance, nan_ok=True), where
    else:
        assert one == other, where


def grid(**trial: Any) -> tuple[Trial, ...]:
    """Trials that differ in seed, lr and weight decay."""
    changes: list[dict[str, JsonValue]] = [
        {"optimizer.lr": 3e-3, "optimizer.weight_decay": 0.0},
        {"optimizer.lr": 1e-2, "optimizer.weight_decay": 1e-3},
        {"optimizer.lr": 1e-3, "optimizer.weight_decay": 1e-2},
    ]
    return tuple(
        Trial(seed=seed, changes=change, updates=UPDATES, instruments=True, evaluations=3, **trial)
        for seed, change in zip((0, 0, 5), changes, strict=True)
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_in_double_precision_each_trial_of_a_stack_gives_what_it_gives_alone(
    model: Callable[[], nn.Module], optimizer: Optimizer
) -> None:
    given = made(model, optimizer=optimizer)
    for stacked, trial in zip(together(given, grid()), grid(), strict=True):
        assert stacked.stacked == 3
        assert_twins(stacked, run_trial(given, trial), tolerance=EXACT)


def test_in_single_precision_the_first_steps_agree_and_so_does_the_outcome() -> None:
    given = made(Residual, double=False, optimizer=OPTIMIZERS["SGD with Nesterov momentum"])
    for stacked, trial in zip(together(given, grid()), grid(), strict=True):
        alone = run_trial(given, trial)
        assert stacked.losses[:5] == pytest.approx(alone.losses[:5], rel=NEAR)
        assert (stacked.outcome, stacked.stopped_by, stacked.updates) == (
            alone.outcome,
            alone.stopped_by,
            alone.updates,
        )
        assert stacked.evaluations[-1].validation_metric == pytest.approx(
            alone.evaluations[-1].validation_metric, abs=0.05
        )


@pytest.mark.parametrize(
    "spec",
    [
        {"gradient_clip_norm": 0.5},
        {"accumulate_batches": 4},
        {"batch_size": 20},  # the last batch of an epoch has 16 rows
        {"epochs": 8, "scheduler": Scheduler(name="one_cycle", interval="step", warmup=0.1)},
        {"epochs": 8, "early_stopping": EarlyStopping(patience=1)},
        {"epochs": 8, "ema": Ema(decay=0.9)},
        {
            "optimizer": Optimizer(
                name="adam", lr=1e-2, groups=(ParameterGroup(match="0.*", lr_scale=0.1, frozen_epochs=2),)
            )
        },
    ],
    ids=", ".join,
)
def test_what_the_spec_adds_to_the_loop_is_the_same_in_a_stack(spec: dict[str, Any]) -> None:
    given = made(lambda: net(0.2), **spec)
    trials = tuple(trial.model_copy(update={"scheduled": "epochs" in spec}) for trial in grid())
    for stacked, trial in zip(together(given, trials), trials, strict=True):
        assert_twins(stacked, run_trial(given, trial), tolerance=EXACT)


def test_trials_end_one_by_one_and_the_others_do_not_notice() -> None:
    given = made(lambda: net(0.2))
    lengths, rates = (40, 25, 33, 40), (1e-2, 2e-2, 3e-2, 1e6)  # the last one diverges
    trials = tuple(
        Trial(seed=seed, changes={"optimizer.lr": rate}, updates=length)
        for seed, (length, rate) in enumerate(zip(lengths, rates, strict=True))
    )
    found = together(given, trials)
    assert [result.outcome for result in found] == [Outcome.COMPLETED] * 3 + [Outcome.DIVERGED]
    assert found[3].updates < UPDATES
    for stacked, trial in zip(found, trials, strict=True):
        assert_twins(stacked, run_trial(given, trial), tolerance=EXACT)


def test_the_small_set_and_its_controls_train_together_though_their_rows_differ() -> None:
    given = made(lambda: net(0.2))
    plain = Trial(
        seed=0, rows=Rows(per_class=4), regularised=False, updates=400, evaluations=0,
        stop_when_memorised=True, stop_when_stalled=True, changes={"optimizer.lr": 0.5},
    )  # fmt: skip
    trials = (
        plain,
        plain.model_copy(update={"seed": 1}),
        plain.model_copy(update={"rows": Rows(per_class=4, inputs="zeroed")}),
        plain.model_copy(update={"rows": Rows(per_class=4, labels="permuted")}),
    )
    found = together(given, trials)
    assert found[0].stopped_by == "memorised"
    assert found[2].stopped_by != "memorised"
    for stacked, trial in zip(found, trials, strict=True):
        assert_twins(stacked, run_trial(given, trial), tolerance=EXACT)


def test_label_smoothing_may_differ_between_the_trials_of_a_stack() -> None:
    given = made(lambda: net(norm=True))
    trials = tuple(
        Trial(seed=0, changes={"loss.args.label_smoothing": share}, updates=UPDATES) for share in (0.0, 0.1, 0.3)
    )
    for stacked, trial in zip(together(given, trials), trials, strict=True):
        assert_twins(stacked, run_trial(given, trial), tolerance=EXACT)


def test_a_step_of_the_users_own_is_stacked_too() -> None:
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        loss: Tensor = nn.functional.cross_entropy(model(batch[0]), batch[1]) + next(model.parameters()).square().mean()
        return loss

    given = made(step=step, loss=None)
    for stacked, trial in zip(together(given, grid()), grid(), strict=True):
        assert_twins(stacked, run_trial(given, trial), tolerance=EXACT)


def test_a_trial_that_cannot_be_prepared_is_a_result_and_the_others_go_on() -> None:
    given = made()
    trials = (*grid(), Trial(seed=0, changes={"optimizer.lr": -1.0}, updates=UPDATES, instruments=True))
    found = together(given, trials)
    assert [result.outcome for result in found] == [Outcome.COMPLETED] * 3 + [Outcome.USER_ERROR]
    assert found[3].error is not None
    assert "-1.0" in found[3].error.message


def test_the_time_limit_of_a_stack_is_that_of_all_its_trials() -> None:
    given = made()
    trials = tuple(trial.model_copy(update={"max_seconds": 1e-9}) for trial in grid())
    assert {result.stopped_by for result in together(given, trials)} == {"time"}


def alone_because(given: Workload, trials: tuple[Trial, ...], *, largest: int | None = None) -> str:
    """Run trials that cannot be stacked, and return the reason."""
    found: dict[int, TrialResult] = {}
    how = run_trials(given, trials, on_result=found.__setitem__, largest=largest)
    assert {group.at_once for group in how} == {1}
    assert len(found) == len(trials)
    assert {result.stacked for result in found.values()} == {1}
    return how[0].because


class Noisy(nn.Module):
    """Draws noise of its own."""

    def __init__(self, draw: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.draw = draw
        self.body = net()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.body(x + self.draw(x))
        return scores


class Branching(nn.Module):
    """Looks at its own numbers to decide what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = net()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.body(x)
        return scores if float(scores.detach().mean()) > 0 else scores * 2


class Rebinding(nn.Module):
    """Puts a new tensor in a buffer's place, which the stack cannot see."""

    def __init__(self) -> None:
        super().__init__()
        self.body = net()
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen = self.seen + 1.0
        scores: Tensor = self.body(x) * (1 + self.seen)
        return scores


class Random(nn.Module):
    """Keeps a random projection that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = torch.randn(FEATURES, FEATURES, dtype=torch.float64)
        self.body = net()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.body(x @ self.projection)
        return scores


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: Noisy(lambda x: 0.1 * torch.randn_like(x)), "random"),
        (lambda: Noisy(lambda x: 0.1 * random.random() * x), "random"),
        (Branching, "raises"),
        (Rebinding, "alone"),
        (Random, "projection"),
    ],
    ids=["torch's noise", "Python's noise", "a branch on numbers", "a buffer put anew", "a random attribute"],
)
def test_a_model_that_a_stack_would_train_otherwise_trains_alone_and_the_reason_is_told(
    model: Callable[[], nn.Module], words: str
) -> None:
    given = made(model)
    trials = tuple(trial.model_copy(update={"seed": seed}) for seed, trial in enumerate(grid()))
    assert words in alone_because(given, trials)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"optimizer": Optimizer(name="nadam", lr=1e-3)}, "NAdam"),
        ({"precision": "float16"}, "float16"),
        ({"loop": lambda model, optimizer, batches: None}, "own loop"),
    ],
    ids=["another optimizer", "a loss scaler", "the user's loop"],
)
def test_what_cannot_be_stacked_says_why(spec: dict[str, Any], words: str) -> None:
    trials = tuple(trial.model_copy(update={"loop": "user" if "loop" in spec else "ours"}) for trial in grid())
    assert words in alone_because(made(**spec), trials)


def test_few_trials_short_ones_and_a_bound_of_one_train_alone() -> None:
    given = made()
    assert "fewer" in alone_because(given, grid()[:2])
    assert "updates" in alone_because(given, tuple(t.model_copy(update={"updates": 3}) for t in grid()))
    assert "off" in alone_because(given, grid(), largest=1)


def test_a_stack_that_is_slower_than_its_trials_one_by_one_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "LEAST_GAIN", 1e9)
    monkeypatch.setattr(decisions, "LEAST_GAIN", 1e9)
    given, kind = made(), kind_of(grid()[0]).model_dump_json()
    for tries in (1, 2, 2):  # one try may be bad luck; after a second one it is not tried again
        assert "faster" in alone_because(given, grid())
        assert len(given.stacking.gains[kind, 3]) == tries


def test_a_stack_of_another_size_is_compared_with_no_other_trial() -> None:
    given = made(Residual)
    found: dict[int, TrialResult] = {}
    run_trials(given, grid(), on_result=found.__setitem__)
    others = tuple(trial.model_copy(update={"seed": seed}) for seed in (7, 8) for trial in grid()[::-1])
    how = run_trials(given, others, on_result=found.__setitem__)
    assert not given.stacking.refusals, how


def test_a_stack_that_fits_no_memory_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made()
    trials = tuple(trial.model_copy(update={"seed": seed}) for seed in range(3) for trial in grid()[:2])
    together(given, trials)
    held = next(iter(given.stacking.alone.values())).bytes_held
    monkeypatch.setattr(running, "available_bytes", lambda _: int(3 * held / running.MEMORY_SHARE))
    assert {result.stacked for result in together(given, trials)} == {3}


def test_out_of_memory_halves_the_stack_until_it_fits() -> None:
    most = 3

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        if torch._C._functorch.maybe_current_level() and stack_size() > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        loss: Tensor = nn.functional.cross_entropy(model(batch[0]), batch[1])
        return loss

    given = made(step=step, loss=None)
    trials = tuple(trial.model_copy(update={"seed": seed}) for seed in range(4) for trial in grid())
    assert {result.stacked for result in together(given, trials)} == {most}
