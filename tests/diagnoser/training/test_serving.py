"""The child tells each result as it is there, and nothing that a process without its GPU measured."""

from pathlib import Path

import pytest
import torch

from diagnoser.messages import Done, Failed, Part, Perform, Work
from diagnoser.spec.fields import Data, Factory, Loss, TrainingSpec
from diagnoser.training import serving
from diagnoser.training.live import LiveObjects
from diagnoser.training.workload import load
from diagnoser.trials import Outcome, Trial

GUILTY = 1
UNIT = tuple(
    Trial(seed=seed, updates=1, evaluations=0, changes={"optimizer.lr": rate})
    for seed, rate in enumerate((0.1, 0.2, 0.3))
)


class Interrupts(BaseException):
    """Not even an Exception: raised by user code all the same."""


class Net(torch.nn.Linear):
    error: BaseException = ValueError("device-side assert triggered")

    def __init__(self) -> None:
        super().__init__(2, 1)
        self.guilty = torch.initial_seed() == GUILTY

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.guilty:
            raise self.error
        return super().forward(x)


@pytest.fixture
def child() -> serving.Child:
    x = torch.randn(64, 2)
    spec = TrainingSpec(
        name="serving",
        model=Factory(factory="notebook:model"),
        data=Data(factory="notebook:data"),
        loss=Loss(name="mse_loss"),
        device="cpu",
    )
    rows = (x, x.sum(1, keepdim=True))
    child = serving.Child()
    child._workload = load(spec, folder=Path.cwd(), objects=LiveObjects(model_fn=Net, data=(rows, rows)))
    return child


def performed(child: serving.Child, work: tuple[Work, ...] = UNIT) -> tuple[list[Part], Done | Failed]:
    told: list[Part] = []
    request = Perform(number=2, until=0.0, threads=torch.get_num_threads(), work=work)
    return told, child.perform(request, tell=told.append)


def test_an_error_in_one_trial_is_its_result_and_the_others_go_on(child: serving.Child) -> None:
    told, answer = performed(child)
    outcomes = {part.index: part.result.outcome for part in told}
    assert outcomes == {0: Outcome.COMPLETED, GUILTY: Outcome.USER_ERROR, 2: Outcome.COMPLETED}
    assert isinstance(answer, Done)
    assert sum(one.trials for one in answer.stacks) == len(UNIT)
    assert not answer.spent


def test_after_the_gpu_is_lost_no_trial_is_blamed_in_company(
    child: serving.Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_lost_its_device", lambda workload: True)
    told, answer = performed(child)
    assert [part.index for part in told] == [0]
    assert answer == Done(spent=True)


def test_alone_it_is_blamed(child: serving.Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_lost_its_device", lambda workload: True)
    told, answer = performed(child, UNIT[GUILTY : GUILTY + 1])
    assert [part.result.outcome for part in told] == [Outcome.USER_ERROR]
    assert isinstance(answer, Done)
    assert answer.spent


def test_what_is_no_exception_is_told_of_the_trial_that_runs_alone(
    child: serving.Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Net, "error", Interrupts("enough"))
    told, answer = performed(child)
    assert [part.index for part in told] == [0]
    assert isinstance(answer, Failed)  # of two that are left: the supervisor asks for them one by one
    told, answer = performed(child, UNIT[GUILTY : GUILTY + 1])
    assert isinstance(answer, Done)
    error = told[0].result.error
    assert error is not None
    assert error.kind == "Interrupts"
