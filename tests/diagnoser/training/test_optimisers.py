"""Are optimizer and schedule those of the spec?"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import Optimizer, ParameterGroup, Scheduler
from diagnoser.training.optimisers import build_optimizer, build_schedule, effective_lr
from tests.helpers.training import net

HERE = Path()


def build(**given: Any) -> torch.optim.Optimizer:
    return build_optimizer(Optimizer(**given), net(), folder=HERE)


def lrs(scheduler: Scheduler, *, epochs: int = 4, per_epoch: int = 5, lr: float = 1.0) -> list[float]:
    optimizer = build(name="sgd", lr=lr)
    schedule = build_schedule(scheduler, optimizer, total_updates=epochs * per_epoch, updates_per_epoch=per_epoch)
    assert schedule is not None
    found = []
    for epoch in range(epochs):
        for _ in range(per_epoch):
            found.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            schedule.after_update()
        schedule.after_epoch(1.0 if epoch < 1 else 2.0)
    return found


def test_names_and_settings_reach_torch() -> None:
    made = build(name="AdamW", lr=0.02, weight_decay=0.3, args={"betas": [0.8, 0.9], "eps": 1e-6})
    assert type(made) is torch.optim.AdamW
    group = made.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"], group["eps"]) == (0.02, 0.3, (0.8, 0.9), 1e-6)
    assert build(name="sgd", lr=0.1, momentum=0.7).param_groups[0]["momentum"] == 0.7
    assert build(name="sgd", lr=0.1).param_groups[0]["momentum"] == 0
    assert build(name="adam", lr=0.1, momentum=0.7).param_groups[0]["betas"] == (0.7, 0.999)


def test_the_fused_kernel_is_used_where_it_can_be() -> None:
    assert build(name="adam").param_groups[0]["fused"] is True
    assert build(name="adam", args={"foreach": True}).param_groups[0]["fused"] is None
    sparse = build_optimizer(Optimizer(name="sgd"), nn.Embedding(4, 4, sparse=True), folder=HERE)
    assert not sparse.param_groups[0]["fused"]


def test_fused_and_plain_updates_agree() -> None:
    for name in ("sgd", "adam", "adamw", "adagrad"):
        results = []
        for foreach in (None, False):
            torch.manual_seed(0)
            model = net().double()
            optimizer = build_optimizer(
                Optimizer(name=name, lr=0.01, weight_decay=0.1, args={} if foreach is None else {"foreach": foreach}),
                model,
                folder=HERE,
            )
            for _ in range(10):
                optimizer.zero_grad()
                model(torch.ones(3, 4, dtype=torch.float64)).square().sum().backward()
                optimizer.step()
            results.append(nn.utils.parameters_to_vector(model.parameters()).detach())
        assert torch.allclose(results[0], results[1], rtol=1e-9), name


def test_groups_share_the_parameters_out_by_name() -> None:
    groups = (ParameterGroup(match="0.*", lr_scale=0.1, frozen_epochs=2),)
    made = build(name="sgd", lr=1.0, groups=groups)
    assert [(len(g["params"]), g["lr"]) for g in made.param_groups] == [(2, 1.0), (2, 0.1)]
    with pytest.raises(UserCodeError, match=r"'nothing\.\*' matches no parameter; there are 0\.weight"):
        build(name="sgd", groups=(ParameterGroup(match="nothing.*"),))


def test_a_factory_gets_what_it_names() -> None:
    def plain(model: nn.Module, lr: float) -> Any:
        return torch.optim.SGD(model.parameters(), lr=lr / 10)

    made = build_optimizer(Optimizer(lr=0.5, weight_decay=0.1), net(), folder=HERE, factory=plain)
    assert effective_lr(made) == 0.05
    with pytest.raises(UserCodeError, match="must return a torch optimizer"):
        build_optimizer(Optimizer(), net(), folder=HERE, factory=lambda model, lr, weight_decay: None)


def test_settings_that_torch_refuses_are_the_users_error() -> None:
    with pytest.raises(UserCodeError, match="SGD could not be built"):
        build(name="sgd", args={"nesterov": True})


def test_cosine_goes_over_the_whole_run_epoch_by_epoch() -> None:
    found = lrs(Scheduler(name="cosine"))
    wanted = [(1 + torch.cos(torch.tensor(torch.pi * epoch / 4)).item()) / 2 for epoch in range(4)]
    assert found[::5] == pytest.approx(wanted)
    assert found[0:5] == [1.0] * 5
    by_step = lrs(Scheduler(name="cosine", interval="step"))
    assert by_step[10] == pytest.approx(0.5)
    assert len(set(by_step)) == 20


@pytest.mark.parametrize(
    ("scheduler", "first", "last"),
    [
        (Scheduler(name="linear", interval="step"), 1.0, 0.05),
        (Scheduler(name="exponential", interval="step"), 1.0, 0.0126),
        (Scheduler(name="step", args={"step_size": 2, "gamma": 0.5}), 1.0, 0.5),
        (Scheduler(name="plateau", args={"patience": 0, "factor": 0.1}), 1.0, 0.01),
        (Scheduler(name="one_cycle", interval="step"), 0.04, 0.01138),
        (Scheduler(name="MultiStepLR", args={"milestones": [1, 2]}), 1.0, 0.01),
    ],
)
def test_schedules_start_and_end_where_they_should(scheduler: Scheduler, first: float, last: float) -> None:
    found = lrs(scheduler)
    assert found[0] == pytest.approx(first, rel=1e-3)
    assert found[-1] == pytest.approx(last, rel=0.02)


def test_a_warm_up_ramps_and_leaves_the_schedule_alone() -> None:
    plain = lrs(Scheduler(name="cosine", interval="step"))
    warmed = lrs(Scheduler(name="cosine", interval="step", warmup=0.25))
    assert warmed[:5] == pytest.approx([lr * (i + 1) / 5 for i, lr in enumerate(plain[:5])])
    assert warmed[5:] == pytest.approx(plain[5:])


def test_arguments_that_a_schedule_refuses_are_the_users_error() -> None:
    with pytest.raises(UserCodeError, match="CosineAnnealingLR could not be built"):
        lrs(Scheduler(name="cosine", args={"t_max": 3}))
