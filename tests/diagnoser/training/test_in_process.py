"""In a notebook, work runs in the caller's own process, and the caller finds it as it was."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from diagnoser.messages import Result
from diagnoser.records import JsonValue
from diagnoser.spec.fields import Data, Factory, Loss, TrainingSpec
from diagnoser.training.in_process import InProcessExecutor
from diagnoser.training.live import LiveObjects
from diagnoser.training.workload import load
from diagnoser.trials import Outcome, Trial


class Rude(torch.nn.Module):
    """Changes whatever it can reach."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        torch.set_num_threads(3)
        return self.linear(x)  # type: ignore[no-any-return]


def build_data() -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    x = torch.randn(64, 2)
    return (x, x.sum(1, keepdim=True)), (x, x.sum(1, keepdim=True))


@pytest.fixture(scope="module")
def executor() -> InProcessExecutor:
    spec = TrainingSpec(
        name="notebook",
        model=Factory(factory="notebook:model"),
        data=Data(factory="notebook:data"),
        loss=Loss(name="mse_loss"),
        device="cpu",
    )
    return InProcessExecutor(load(spec, folder=Path.cwd(), objects=LiveObjects(model_fn=Rude, data=build_data)))


def test_the_callers_random_states_and_threads_are_as_they_were(executor: InProcessExecutor) -> None:
    threads = torch.get_num_threads()
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    (result,) = executor.run(
        [Trial(seed=0, updates=2, evaluations=0)], deadline=time.monotonic() + 60, on_result=lambda index, result: None
    )
    assert result.outcome is Outcome.COMPLETED
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])
    assert torch.get_num_threads() == threads


def test_what_has_not_begun_by_the_deadline_is_timed_out(executor: InProcessExecutor) -> None:
    told: list[int] = []
    run = executor.trials_run
    results = executor.run(
        [Trial(seed=0), Trial(seed=1)],
        deadline=time.monotonic() - 1,
        on_result=lambda index, result: told.append(index),
    )
    assert [result.outcome for result in results] == [Outcome.TIMED_OUT, Outcome.TIMED_OUT]
    assert told == [0, 1]
    assert executor.trials_run == run


def test_trials_of_one_kind_are_trained_as_one_and_how_is_told(executor: InProcessExecutor) -> None:
    before = sum(one.trials for one in executor.stacks)
    told: list[int] = []
    work = [
        Trial(seed=seed, updates=2, evaluations=0, regularised=seed != 1) for seed in range(3)
    ]  # the second differs
    results = executor.run(work, deadline=time.monotonic() + 60, on_result=lambda index, result: told.append(index))
    assert told == [0, 2, 1]
    assert [result.outcome for result in results] == [Outcome.COMPLETED] * 3
    assert sum(one.trials for one in executor.stacks) - before == 3


def test_one_that_raises_takes_no_other(executor: InProcessExecutor) -> None:
    wrong: dict[str, JsonValue] = {"optimizer.args.momentum": "much"}
    trials = [Trial(seed=seed, updates=2, evaluations=0, changes=wrong if seed == 1 else {}) for seed in range(3)]
    run = executor.trials_run
    results = executor.run(trials, deadline=time.monotonic() + 60, on_result=lambda index, result: None)
    assert [result.outcome for result in results] == [Outcome.COMPLETED, Outcome.USER_ERROR, Outcome.COMPLETED]
    assert executor.trials_run == run + 3


def test_what_the_listener_raises_is_not_taken_for_the_trials_error(executor: InProcessExecutor) -> None:
    def listen(index: int, result: Result) -> None:
        raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="the caller's own"):
        executor.run([Trial(seed=0, updates=2, evaluations=0)], deadline=time.monotonic() + 60, on_result=listen)


def test_the_environment_names_the_versions(executor: InProcessExecutor) -> None:
    environment = executor.open()
    assert environment.torch == torch.__version__
    assert environment.packages["torch"]
    assert (executor.processes, executor.trials_from_cache) == (1, 0)
