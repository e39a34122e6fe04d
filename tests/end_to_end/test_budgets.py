"""A run ends within its budget whatever the user's code does, and says what it left out.

Counted on a clock of the tests' own: an executor that ends work as the real one does says what it takes. One run is
real, and marked slow.
"""

import json
from pathlib import Path

import pytest

from diagnoser.evidence.outcome import Measured, NotMeasured, Reason
from diagnoser.evidence.steps import Steps
from diagnoser.messages import Work
from diagnoser.protocol.session import Session
from diagnoser.trials import Outcome, Probe, ProbeKind, Trial
from rules.verdict import scope
from tests.helpers import make, mischief
from tests.helpers.clocked_executor import ClockedExecutor
from tests.helpers.command_line import diagnoser

OVERRUN = 1.1
AFTER = 2.5  # seconds: two judgments and the report, which take 1.3 where nothing else runs
BUDGETS = (20.0, 40.0, 60.0, 120.0, 600.0)


def never(_: Work) -> bool:
    return False


def training(work: Work) -> bool:
    return isinstance(work, Trial) and work.updates != 0


def untrained(work: Work) -> bool:
    return isinstance(work, Trial) and work.updates == 0


def everything(work: Work) -> bool:
    return isinstance(work, Trial) or work.probe not in {ProbeKind.ASSUMPTIONS, ProbeKind.SYSTEM}


def the_gradient(work: Work) -> bool:
    return isinstance(work, Probe) and work.probe is ProbeKind.GRADIENT


WORKLOADS = {
    "a small model": {},
    "a step of 0.3 s": {"update": 0.3, "evaluation": 0.3, "probe": 3.0, "total_updates": 5000},
    "a step of 2 s": {"load": 6.0, "update": 2.0, "evaluation": 2.0, "probe": 20.0, "total_updates": 5000},
    "training hangs": {"hangs": training},
    "an untrained model hangs": {"hangs": untrained},
    "whatever is asked hangs": {"hangs": everything},
    "one probe hangs": {"hangs": the_gradient},
    "an evaluation of 10 s": {"evaluation": 10.0},
    "data that take 5 s to build": {"load": 8.0, "update": 0.05},
}


def walk(executor: ClockedExecutor, budget: float, *, preset: str = "standard") -> Steps:
    spec = make.spec(protocol={"preset": preset}, budget={"minutes": budget / 60})
    return Session(spec, executor, lambda _: (), lambda _: None, 0.0, clock=executor.clock).run()


def steps_of(steps: Steps) -> dict[str, Measured | NotMeasured]:
    return {name: getattr(steps, name) for name in Steps.model_fields if name != "preflight"}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_run_ends_within_a_tenth_of_its_budget(workload: str, budget: float) -> None:
    executor = ClockedExecutor(**WORKLOADS[workload])
    steps = walk(executor, budget)
    assert executor.now + AFTER <= OVERRUN * budget
    for name, outcome in steps_of(steps).items():
        assert isinstance(outcome, Measured) or outcome.because, name
