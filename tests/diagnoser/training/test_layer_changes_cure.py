"""Does each change of the live model cure one that suffers from the fault, alone and in a stack of trials?"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Optimizer
from diagnoser.training.stacked import decisions, running, trying
from diagnoser.training.stacked.running import run_trials
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform, Trial, TrialResult
from tests.helpers.training import classes, loaded, net, ran, two

ADAM = Optimizer(name="adam", lr=0.02)
NEW = (
    Transform.MOVE_NORM,
    Transform.INSERT_NORM,
    Transform.MOVE_DROPOUT,
    Transform.TRACK_NORM_STATISTICS,
    Transform.FROZEN_NORM_IN_EVAL,
    Transform.FULL_RESOLUTION,
    Transform.INSERT_DROPOUT,
    Transform.INVERT_DROPOUT,
    Transform.GELU_ACTIVATIONS,
    Transform.TANH_ACTIVATIONS,
)


def pictures(rows: int = 48, *, side: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A bright dot, and in which of three rows of pixels beside one another it lies: gone where a stride skips it."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 3
    x = 0.1 * torch.randn(rows, 1, side, side, generator=draw)
    columns = torch.randint(side, (rows,), generator=draw)
    x[torch.arange(rows), 0, labels + 1, columns] += 3
    return x, labels


PICTURES = (pictures(), pictures(seed=1))


def both(workload: Workload, transform: Transform, **trial: Any) -> tuple[TrialResult, TrialResult]:
    """The run without the fix and with it."""
    found = tuple(ran(workload, transforms=cure, **{"updates": 150, **trial}) for cure in ((), (transform,)))
    assert all(result.error is None for result in found)
    return found[0], found[1]


def patient(model: Any, data: Any = None, **given: Any) -> Workload:
    return loaded(model, data or two(), **{"loss": "cross_entropy", "optimizer": ADAM, **given})


def test_answers_of_fixed_scale_are_set_free() -> None:
    def late_norm() -> nn.Module:
        early = [nn.Linear(4, 16), nn.ReLU(), nn.BatchNorm1d(16)]
        return nn.Sequential(*early, nn.Linear(16, 3), nn.BatchNorm1d(3, affine=False))

    sick, cured = both(patient(late_norm), Transform.MOVE_NORM, updates=400)
    assert (sick.final_loss or 0) > 0.3  # logits of unit variance cannot be sure
    assert (cured.final_loss or 1) < 0.5 * (sick.final_loss or 0)


def test_a_signal_that_fades_is_kept_alive_by_normalisation() -> None:
    def deep() -> nn.Module:
        layers = [module for _ in range(8) for module in (nn.Linear(16, 16), nn.ReLU())]
        made = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), *layers, nn.Linear(16, 3))
        for parameter in made.parameters():
            nn.init.normal_(parameter, std=0.05)
        return made

    gentle = Optimizer(name="sgd", lr=0.02)
    sick, cured = both(patient(deep, optimizer=gentle), Transform.INSERT_NORM, updates=600)
    assert (sick.final_loss or 0) > 1.0  # ln 3: nothing learned
    assert (cured.final_loss or 9) < 0.8 * (sick.final_loss or 0)


def test_the_variance_that_dropout_adds_no_longer_reaches_batch_norm() -> None:
    def model() -> nn.Module:
        dropped = [nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.7), nn.Linear(64, 16), nn.BatchNorm1d(16)]
        return nn.Sequential(*dropped, nn.ReLU(), nn.Linear(16, 3))

    sick, cured = both(patient(model), Transform.MOVE_DROPOUT, scheduled=True)
    gap = [(r.eval_mode_loss or 0) / (r.train_mode_loss or 1) for r in (sick, cured)]
    assert abs(gap[1] - 1) < abs(gap[0] - 1)


@pytest.mark.parametrize("momentum", [1e-4, None])
def test_statistics_that_lag_behind_catch_up(momentum: float | None) -> None:
    def model() -> nn.Module:
        first, norm = nn.Linear(4, 16), nn.BatchNorm1d(16, momentum=0.1 if momentum is None else momentum)
        nn.init.constant_(first.bias, 30.0)
        return nn.Sequential(first, norm, nn.ReLU(), nn.Linear(16, 3))

    # With torch's momentum the first ten batches are too few to reach a mean of 30.
    updates = 10 if momentum is None else 150
    sick, cured = both(patient(model), Transform.TRACK_NORM_STATISTICS, scheduled=True, updates=updates)
    assert (cured.eval_mode_loss or 9) < (sick.eval_mode_loss or 0)
    assert (cured.eval_mode_loss or 9) < 1.3 * (cured.recalibrated_loss or 0) + 0.05


def test_a_pretrained_backbone_keeps_its_statistics() -> None:
    def model() -> nn.Module:
        made = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
        made[:2].requires_grad_(requires_grad=False)
        return made

    workload = patient(model)
    _, cured = both(workload, Transform.FROZEN_NORM_IN_EVAL, scheduled=True)
    assert cured.train_mode_loss == pytest.approx(cured.eval_mode_loss)  # one and the same function in both modes


def test_details_that_a_stride_skips_are_seen() -> None:
    def model() -> nn.Module:
        early = [nn.Conv2d(1, 8, 1, stride=4), nn.ReLU(), nn.Conv2d(8, 16, (5, 1), padding=(2, 0)), nn.ReLU()]
        return nn.Sequential(*early, nn.AdaptiveMaxPool2d((4, 1)), nn.Flatten(), nn.Linear(64, 3))

    sick, cured = both(patient(model, PICTURES), Transform.FULL_RESOLUTION, updates=200)
    assert (cured.final_loss or 9) < 0.5 * (sick.final_loss or 0)


def test_dropout_keeps_a_wide_net_from_learning_noise_by_heart() -> None:
    x, y = classes(32)
    noisy = torch.randint(3, (32,), generator=torch.Generator().manual_seed(5))
    data = ((x, torch.where(torch.arange(32) % 3 == 0, noisy, y)), classes(200, seed=1))
    workload = patient(lambda: net(hidden=256), data)
    sick, cured = both(workload, Transform.INSERT_DROPOUT, updates=300)
    assert (cured.evaluations[-1].validation_metric or 0) > (sick.evaluations[-1].validation_metric or 1) + 0.05


def test_what_was_meant_to_be_kept_is_kept() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.95), nn.Linear(16, 3))

    sick, cured = both(patient(model), Transform.INVERT_DROPOUT)
    assert (cured.final_loss or 9) < 0.5 * (sick.final_loss or 0)


@pytest.mark.parametrize("transform", [Transform.GELU_ACTIVATIONS, Transform.TANH_ACTIVATIONS])
def test_a_dead_net_lives_with_another_activation(transform: Transform) -> None:
    def dead() -> nn.Module:
        made = net()
        assert isinstance(made, nn.Sequential)
        nn.init.constant_(made[0].bias, -100.0)  # type: ignore[arg-type]
        return made

    sick, cured = both(patient(dead), transform)
    assert (sick.final_loss or 0) > 0.9
    assert (cured.final_loss or 9) < 0.3


def everything() -> nn.Module:
    """A model on which every change finds something."""
    conv = [nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.BatchNorm2d(8), nn.Dropout(0.6)]
    frozen = nn.BatchNorm2d(8, momentum=0.3).requires_grad_(requires_grad=False)
    rest = [nn.Conv2d(8, 8, 3, padding=1), frozen, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*conv, *rest, nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize("transform", NEW)
def test_trials_with_a_change_give_the_same_numbers_stacked(
    transform: Transform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LONGEST_STEP", {"cpu": 60.0})  # whatever it costs on a machine with other work
    monkeypatch.setattr(trying, "LEAST_GAIN", 0.0)
    monkeypatch.setattr(decisions, "LEAST_GAIN", 0.0)
    given = [Trial(seed=seed, updates=12, transforms=(transform,)) for seed in range(4)]
    exact = tuple((x.double(), y) for x, y in PICTURES)  # two ways to sum differ in the last bits
    workload = loaded(lambda: everything().double(), exact, loss="cross_entropy", optimizer=ADAM)
    alone = [ran(workload, **trial.model_dump()) for trial in given]
    together: dict[int, TrialResult] = {}
    how = run_trials(workload, given, on_result=together.__setitem__)
    assert [result.error for result in alone] == [None] * 4
    assert {one.at_once for one in how} == {4}, how
    for index, result in enumerate(alone):
        other = together[index]
        assert other.losses == pytest.approx(result.losses, rel=1e-6)
        assert other.final_loss == pytest.approx(result.final_loss, rel=1e-6)
