"""What the earlier steps settled: short answers for `plan` and `read`, with the defaults that hold without them."""

from typing import TypeVar

from diagnoser.evidence.outcome import Measured, NotMeasured
from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.evidence.steps import Steps
from diagnoser.records import Record
from diagnoser.spec.fields import Task, TrainingSpec
from diagnoser.trials import Trial, TrialResult

R = TypeVar("R", bound=Record)

Done = tuple[tuple[Trial, TrialResult], ...]
"""Trials of one step with their results, in the order in which they were planned."""

DEFAULT_EPOCHS = 10  # DESIGN 5


def value(outcome: Measured[R] | NotMeasured) -> R | None:
    """The record, or None when it was not measured."""
    return outcome.value if isinstance(outcome, Measured) else None


def assumptions(so_far: Steps) -> Assumptions:
    """What was settled about the workload; every step after preflight needs it."""
    found = value(so_far.preflight.assumptions)
    assert found is not None, "no step is planned before the workload is understood"
    return found


def data(so_far: Steps) -> DataProfile | None:
    """The data profile, if there is one."""
    return value(so_far.preflight.data)


def user_lr(so_far: Steps) -> float:
    """The lr that the user's optimizer really got."""
    return assumptions(so_far).effective_lr


def has_classes(so_far: Steps) -> bool:
    """Whether the task is judged by an accuracy."""
    return assumptions(so_far).task in {Task.CLASSIFICATION, Task.BINARY, Task.MULTILABEL}


def epochs(spec: TrainingSpec) -> int:
    """Epochs of the user's run when it is given in epochs."""
    return spec.epochs if spec.epochs is not None else DEFAULT_EPOCHS
