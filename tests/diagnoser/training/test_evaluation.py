"""Is a model evaluated once where once is enough, with the digits of twice?"""

import statistics
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.training import evaluation
from diagnoser.training.modes import batch_statistics
from diagnoser.training.randomness import derived, forked
from tests.helpers.training import classes, loaded, net, two


class Noisy(nn.Module):
    """Random in every mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + torch.randn_like(x))


def counted(model: nn.Module) -> list[int]:
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("make", [net, Noisy, lambda: nn.Sequential(nn.BatchNorm1d(4), net())])
def test_loss_and_spread_at_the_start_come_from_one_pass(make: Any) -> None:
    workload = loaded(make, two(), loss="cross_entropy")
    model = workload.build_model(seed=0)
    calls = counted(model)
    found = evaluation.start(workload, model, workload.train)
    assert len(calls) == 1
    x, y = workload.train.head(64)
    with batch_statistics(model), torch.no_grad(), forked(evaluation._SEED):
        outputs = model(x)
    assert found.outputs_std == float(outputs.std())
    assert found.loss == pytest.approx(float(nn.functional.cross_entropy(outputs, y)))


def test_a_step_of_the_users_is_asked_apart_from_the_spread() -> None:
    def step(model: nn.Module, batch: Any) -> Tensor:
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    by_step, by_loss = (loaded(net, two(), **given) for given in ({"step_fn": step}, {"loss": "cross_entropy"}))
    found = [evaluation.start(w, w.build_model(seed=0), w.train) for w in (by_step, by_loss)]
    assert found[0] == found[1]


def test_noise_needs_one_more_pass_where_nothing_is_random_and_five_where_it_is() -> None:
    for make, passes in ((net, 1), (Noisy, evaluation.NOISE_EVALUATIONS)):
        workload = loaded(make, two(), loss="cross_entropy")
        model = workload.build_model(seed=0)
        known = evaluation.evaluate(workload, model, workload.validation).loss
        unaided = evaluation.evaluation_noise(workload, model)
        calls = counted(model)
        assert evaluation.evaluation_noise(workload, model, known=known) == unaided
        assert len(calls) == passes
        assert unaided is not None
        assert (unaided > 0) == (make is Noisy)


def test_of_a_loss_that_is_not_finite_there_is_no_spread() -> None:
    workload = loaded(Noisy, two(), loss="cross_entropy")
    model = workload.build_model(seed=0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(float("nan"))
    assert evaluation.evaluation_noise(workload, model) is None


def test_the_loss_of_other_rows_is_no_yardstick_for_noise() -> None:
    rows = classes(evaluation.NOISE_ROWS + 1)
    workload = loaded(Noisy, (rows, rows), loss="cross_entropy")
    model = workload.build_model(seed=0)
    subset = evaluation.check_rows(workload.validation, evaluation.NOISE_ROWS)
    first = evaluation.evaluate(
        workload, model, workload.validation, rows=subset, seed=derived(evaluation._SEED, "noise", 0)
    ).loss  # fmt: skip
    assert (evaluation.evaluation_noise(workload, model, known=first) or 0.0) > 0


def test_noise_is_the_spread_over_five_random_states() -> None:
    workload = loaded(Noisy, two(), loss="cross_entropy")
    model = workload.build_model(seed=0)
    losses = []
    for i in range(5):
        torch.manual_seed(derived(evaluation._SEED, "noise", i))
        x, y = workload.validation.head(32)
        losses.append(float(nn.functional.cross_entropy(model(x), y).detach()))
    assert evaluation.evaluation_noise(workload, model) == pytest.approx(statistics.stdev(losses), rel=1e-5)
