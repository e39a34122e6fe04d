"""Is what every trial on the small set asks for worked out once, and never taken for something else?"""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from diagnoser.spec.fields import Loss
from diagnoser.training import remembering, small_set
from diagnoser.training.workload import Workload
from diagnoser.trials import Rows, Transform
from tests.helpers.training import classes, loaded, net, ran

FEW = Rows(per_class=4)


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often rows are chosen and floors are sought."""
    found: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any], *given: Any, **more: Any) -> Any:
        found[name] += 1
        return function(*given, **more)

    for name in ("choose", "describe"):
        monkeypatch.setattr(small_set, name, functools.partial(counting, name, getattr(small_set, name)))
    return found


def program(**given: Any) -> Workload:
    rows = classes(300)
    return loaded(net, (rows, classes(60, seed=1)), **{"loss": "cross_entropy", **given})


def test_trials_that_differ_in_numbers_share_the_small_set(worked_out: Counter[str]) -> None:
    workload = program()
    for seed, lr in ((0, 0.1), (0, 0.01), (1, 0.1)):
        ran(workload, seed=seed, rows=FEW, updates=3, changes={"optimizer.lr": lr})
    assert worked_out == {"choose": 1, "describe": 1}


def test_other_labels_rows_and_losses_are_another_small_set(worked_out: Counter[str]) -> None:
    workload = program(loss=Loss(name="cross_entropy", args={"label_smoothing": 0.1}))
    plain = ran(workload, rows=FEW, updates=1)
    ran(workload, rows=FEW.model_copy(update={"labels": "permuted"}), updates=1)
    assert worked_out["describe"] == 2
    ran(workload, rows=Rows(per_class=5), updates=1)
    assert worked_out == {"choose": 2, "describe": 3}
    sharper = ran(workload, rows=FEW, updates=1, changes={"loss.args.label_smoothing": 0.2})
    assert worked_out["describe"] == 4
    assert sharper.floor is not None
    assert plain.floor is not None
    assert sharper.floor > plain.floor + 0.1


@pytest.mark.parametrize(
    "trial",
    [
        {"rows": FEW},
        {"rows": FEW.model_copy(update={"labels": "permuted"})},
        {"rows": FEW.model_copy(update={"inputs": "zeroed"})},
        {"rows": FEW, "transforms": (Transform.STANDARDISE_INPUTS,)},
        {"rows": FEW, "changes": {"data.batch_size": 5}},
    ],
)
def test_what_is_remembered_equals_what_is_worked_out(trial: dict[str, Any]) -> None:
    workload = program()
    ran(workload, rows=FEW, updates=2)
    ran(workload, updates=2, **trial)
    again, fresh = ran(workload, updates=5, **trial), ran(program(), updates=5, **trial)
    left_out = {"seconds", "peak_memory_mb"}
    assert again.model_dump_json(exclude=left_out) == fresh.model_dump_json(exclude=left_out)


def test_choosing_rows_leaves_chance_alone_whether_they_are_known_or_not() -> None:
    workload, drawn = program(), []
    for _ in range(2):
        torch.manual_seed(3)
        remembering.chosen_rows(workload, workload.train, per_class=4)
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[1]
