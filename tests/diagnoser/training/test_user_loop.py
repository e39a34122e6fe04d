"""Does the user's own loop run as in their program, and is it followed without being changed?"""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.spec.fields import Optimizer, Scheduler
from diagnoser.trials import Outcome
from tests.helpers.training import loaded, net, ran, two


def plain(model: nn.Module, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


def evaluate(model: nn.Module, batches: Any) -> dict[str, Any]:
    model.eval()
    right = sum(int((model(x).argmax(1) == y).sum()) for x, y in batches)
    return {"accuracy": right / 32, "tensor": torch.tensor(2.0)}


def test_a_correct_loop_gives_the_losses_of_ours() -> None:
    workload = loaded(net, two(), loss="cross_entropy", loop_fn=plain)
    theirs, ours = (ran(workload, updates=12, loop=loop, evaluations=3) for loop in ("user", "ours"))
    assert theirs.losses == pytest.approx(ours.losses, rel=1e-6)
    assert theirs.updates == ours.updates == 12
    assert [e.updates for e in theirs.evaluations] == [4, 8, 12]
    assert theirs.evaluations[-1].validation_loss == pytest.approx(ours.evaluations[-1].validation_loss)


def test_evaluation_comes_in_turn_and_leaves_its_marks() -> None:
    modes: list[bool] = []

    def forgetful(model: nn.Module, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            modes.append(model.training)
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    workload = loaded(net, two(), loss="cross_entropy", loop_fn=forgetful, evaluate_fn=evaluate)
    result = ran(workload, updates=8, loop="user")
    assert modes == [True] * 4 + [False] * 4
    assert result.user_metrics["tensor"] == 2.0
    assert 0 <= result.user_metrics["accuracy"] <= 1


def test_a_loop_is_given_what_it_names() -> None:
    seen: dict[str, Any] = {}

    def wanting(model: nn.Module, optimizer: Any, batches: Any, scheduler: Any, loss: Any, scaler: Any) -> None:
        seen.update(scheduler=scheduler, loss=loss, scaler=scaler, length=len(batches), rows=len(batches.dataset))
        for x, y in batches:
            optimizer.zero_grad()
            scaler.scale(loss(model(x), y)).backward()
            scaler.step(optimizer)
            scaler.update()
        scheduler.step()

    workload = loaded(net, two(), loss="cross_entropy", loop_fn=wanting, epochs=3,
                      scheduler=Scheduler(name="step", args={"step_size": 1, "gamma": 0.1}))  # fmt: skip
    result = ran(workload, loop="user", scheduled=True)
    assert result.error is None
    assert isinstance(seen["scheduler"], torch.optim.lr_scheduler.StepLR)
    assert (seen["length"], seen["rows"]) == (4, 64)
    assert result.evaluations[-1].lr == pytest.approx(0.1 * 0.1**3)


def test_losses_are_noted_without_changing_backward() -> None:
    before = Tensor.backward
    workload = loaded(net, two(), loss="cross_entropy", loop_fn=plain)
    assert len(ran(workload, updates=8, loop="user").losses) == 8
    assert Tensor.backward is before


def test_a_loop_that_never_steps_ends_all_the_same() -> None:
    def idle(model: nn.Module, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()

    workload = loaded(net, two(), loss="cross_entropy", loop_fn=idle)
    result = ran(workload, updates=6, loop="user")
    assert (result.updates, len(result.losses), result.outcome) == (0, 6, Outcome.COMPLETED)
    lazy = loaded(net, two(), loss="cross_entropy", loop_fn=lambda model, optimizer, batches: None)
    assert ran(lazy, updates=6, loop="user").updates == 0


def test_a_loop_that_diverges_or_raises_is_told() -> None:
    workload = loaded(net, two(), loss="cross_entropy", loop_fn=plain, optimizer=Optimizer(name="sgd", lr=1e30))
    assert ran(workload, updates=50, loop="user").outcome is Outcome.DIVERGED

    def raising(model: nn.Module, optimizer: Any, batches: Any) -> None:
        raise KeyError("epoch")

    result = ran(loaded(net, two(), loss="cross_entropy", loop_fn=raising), updates=5, loop="user")
    assert result.error is not None
    assert result.error.kind == "KeyError"
    assert 'raise KeyError("epoch")' in result.error.traceback


def test_time_stops_a_loop_that_catches_everything() -> None:
    def stubborn(model: nn.Module, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            try:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            except Exception:  # noqa: BLE001
                pass

    workload = loaded(net, two(), loss="cross_entropy", loop_fn=stubborn)
    assert ran(workload, updates=10**7, loop="user", max_seconds=0.2).stopped_by == "time"
