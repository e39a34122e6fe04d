"""Optimizers that move everything, and those that miss something."""

from typing import Any

import pytest
import torch
from torch import nn

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.spec.fields import Optimizer, Scheduler
from diagnoser.training.probes import optimizer as probe_of_optimizer
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import net, workload


def profile(asked: Workload) -> OptimizerProfile:
    return probe_of_optimizer.measure(asked, Probe(probe=ProbeKind.OPTIMIZER))


def by_factory(make: Any) -> OptimizerProfile:
    asked = workload()
    asked.objects = type(asked.objects)(**{**vars(asked.objects), "optimizer": make})
    return profile(asked)


def test_an_optimizer_over_all_parameters_misses_nothing() -> None:
    seen = profile(workload(optimizer=Optimizer(name="adam", lr=1e-3, weight_decay=1e-4)))
    assert seen.name == "Adam"
    assert (seen.settings["lr"], seen.settings["betas"], seen.settings["weight_decay"]) == (1e-3, [0.9, 0.999], 1e-4)
    assert (seen.missing, seen.missing_share, seen.foreign, seen.unchanged) == ((), 0.0, 0, ())


@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop", "adagrad", "lbfgs"])
def test_no_optimizer_of_torch_leaves_parameters_unchanged(name: str) -> None:
    seen = profile(workload(optimizer=Optimizer(name=name, lr=0.01)))
    assert (seen.missing, seen.foreign, seen.unchanged) == ((), 0, ())


def test_a_forgotten_layer_is_named_with_its_share() -> None:
    seen = by_factory(lambda model, lr: torch.optim.SGD(model[0].parameters(), lr=lr))
    assert seen.missing == ("3.weight", "3.bias")
    assert seen.missing_share == pytest.approx(68 / 212)
    assert seen.foreign == 0


def test_what_a_second_optimizer_in_the_step_moves_is_told_from_what_nobody_moves() -> None:
    """As with a critic that takes its turn; the first layer's bias is forgotten by both."""
    others: dict[int, torch.optim.Optimizer] = {}

    def step(model: nn.Module, batch: Any) -> torch.Tensor:
        x, y = batch
        last = others.setdefault(id(model), torch.optim.SGD(model[3].parameters(), lr=0.1))  # type: ignore[index]
        if torch.is_grad_enabled():
            last.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            last.step()
        loss: torch.Tensor = nn.functional.cross_entropy(model(x), y)
        return loss

    asked = workload(step=step, loss=None)
    first = lambda model, lr: torch.optim.SGD([model[0].weight], lr=lr)  # noqa: E731
    asked.objects = type(asked.objects)(**{**vars(asked.objects), "optimizer": first})
    seen = profile(asked)
    assert seen.missing == ("0.bias", "3.weight", "3.bias")
    assert seen.moved_elsewhere == ("3.weight", "3.bias")


def test_parameters_of_another_model_are_counted() -> None:
    seen = by_factory(lambda model, lr: torch.optim.SGD(net().parameters(), lr=lr))
    assert seen.foreign == 4
    assert len(seen.missing) == 4
    assert seen.missing_share == 1.0


def test_frozen_parameters_are_not_missing() -> None:
    def frozen() -> nn.Module:
        model = net()
        model[0].requires_grad_(False)  # type: ignore[index]  # a Sequential
        return model

    seen = profile(workload(model=frozen))
    assert (seen.missing, seen.unchanged) == ((), ())


def test_an_optimizer_that_does_not_update_is_seen() -> None:
    class Idle(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            return None

    seen = by_factory(lambda model, lr: Idle(model.parameters(), lr=lr))
    assert set(seen.unchanged) == {"0.weight", "0.bias", "3.weight", "3.bias"}


def test_a_learning_rate_of_zero_is_no_forgotten_parameter() -> None:
    seen = by_factory(lambda model: torch.optim.SGD(model.parameters(), lr=0.0))
    assert seen.unchanged == ()


def test_the_schedule_is_followed_to_its_end() -> None:
    cosine = profile(workload(scheduler=Scheduler(name="cosine", interval="step"), steps=400))
    assert len(cosine.schedule) == 100
    assert cosine.schedule[0] == pytest.approx(0.05)
    assert cosine.schedule[-1] < 1e-4
    assert list(cosine.schedule) == sorted(cosine.schedule, reverse=True)
    assert cosine.schedule_because is None


def test_a_schedule_by_epoch_stays_within_each_epoch() -> None:
    steps = profile(workload(scheduler=Scheduler(name="step", args={"step_size": 2, "gamma": 0.1}), epochs=4))
    assert sorted({round(lr, 6) for lr in steps.schedule}, reverse=True) == [0.05, 0.005]


def test_a_warm_up_is_part_of_the_schedule() -> None:
    seen = profile(workload(scheduler=Scheduler(name="cosine", interval="step", warmup=0.2), steps=100))
    assert seen.schedule[0] < seen.schedule[10] < seen.schedule[19]
    assert max(seen.schedule) == pytest.approx(0.05, rel=0.15)


def test_a_schedule_that_cannot_be_told_beforehand_says_why() -> None:
    assert profile(workload()).schedule_because == "the spec names no scheduler"
    plateau = profile(workload(scheduler=Scheduler(name="plateau")))
    assert plateau.schedule == ()
    assert "validation" in (plateau.schedule_because or "")
