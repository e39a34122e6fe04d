"""A transform of data or loss gives a trial in a stack what it gives it alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.records import JsonValue
from diagnoser.spec.fields import Optimizer
from diagnoser.training.loop import run_trial
from diagnoser.training.stacked.running import run_trials
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform, Trial, TrialResult, kind_of
from tests.helpers.small_workload import CLASSES, FEATURES, blobs, net, workload

UPDATES = 30
SIDE = 8
Pair = tuple[Tensor, Tensor]
SMOOTHED: dict[str, JsonValue] = {"loss.args.label_smoothing": 0.2}
SEEDS: tuple[tuple[int, dict[str, JsonValue]], ...] = (
    (0, {"optimizer.lr": 3e-3}),
    (0, {"optimizer.lr": 1e-2}),
    (5, {"optimizer.lr": 1e-3}),
)


def of_blobs(change: Callable[[Pair], Pair], *, validation_only: bool = False) -> Workload:
    train, validation = (tuple(part.double() if part.is_floating_point() else part for part in blobs(n, seed=s))
                         for n, s in ((96, 0), (64, 1)))  # fmt: skip
    data = (train if validation_only else change(train), change(validation))  # type: ignore[arg-type]
    return workload(data=lambda: data, model=lambda: net().double(), optimizer=Optimizer(name="adam", lr=1e-2))


def of_pictures() -> Workload:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(96, 1, SIDE, SIDE, generator=draw, dtype=torch.float64)
    y = torch.randint(CLASSES, (96,), generator=draw)

    def model() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 36, CLASSES)).double()

    return workload(data=lambda: ((x, y), (x[:32], y[:32])), model=model, optimizer=Optimizer(name="adam", lr=1e-2))


def of_tokens() -> Workload:
    text = torch.randint(FEATURES, (96, 6), generator=torch.Generator().manual_seed(0))
    data = ((text, text), (text[:32], text[:32]))
    return workload(data=lambda: data, model=lambda: nn.Embedding(FEATURES, FEATURES).double(), task=None)


def rare(pair: Pair) -> Pair:
    x, y = pair
    return x, torch.where(torch.arange(len(y)) % 3 > 0, torch.zeros_like(y), y)


PROGRAMS: dict[Transform, Callable[[], Workload]] = {
    Transform.NEGATE_LOSS: lambda: of_blobs(lambda pair: pair),
    Transform.WEIGHT_CLASSES: lambda: of_blobs(rare),
    Transform.RELABEL: lambda: of_blobs(lambda pair: (pair[0], 2 * pair[1] + 1)),
    Transform.SHIFT_TARGETS: of_tokens,
    Transform.VALIDATION_AS_TRAINING: lambda: of_blobs(lambda pair: (9 * pair[0] - 4, pair[1]), validation_only=True),
    Transform.VALIDATION_LABELS_AS_TRAINING: lambda: of_blobs(
        lambda pair: (pair[0], (pair[1] + 1) % CLASSES), validation_only=True
    ),
    Transform.FLIP_PICTURES: of_pictures,
    Transform.SHIFT_PICTURES: of_pictures,
    Transform.ROTATE_PICTURES: of_pictures,
}


def together(given: Workload, trials: tuple[Trial, ...]) -> tuple[TrialResult, ...]:
    """Run trials as one stack, whether it pays or not."""
    given.stacking.gains |= {(kind_of(trial).model_dump_json(), n): (2.0,) for trial in trials for n in range(2, 9)}
    found: dict[int, TrialResult] = {}
    how = run_trials(given, trials, on_result=found.__setitem__)
    assert [group.at_once for group in how] == [len(trials)], how
    return tuple(found[index] for index in range(len(trials)))


def figures(result: TrialResult) -> dict[str, Any]:
    """Losses and evaluations as plain lists of numbers."""
    assert result.error is None
    return {
        "losses": result.losses,
        "validation loss": [evaluation.validation_loss for evaluation in result.evaluations],
        "validation metric": [evaluation.validation_metric for evaluation in result.evaluations],
        "training loss": [evaluation.train_loss for evaluation in result.evaluations],
    }


@pytest.mark.parametrize(("transform", "program"), PROGRAMS.items(), ids=map(str, PROGRAMS))
def test_a_stacked_trial_gives_what_it_gives_alone(transform: Transform, program: Callable[[], Workload]) -> None:
    given = program()
    compare(given, tuple(trial(seed, changes, transform) for seed, changes in SEEDS))
    treated, untreated = (run_trial(given, trial(*SEEDS[0], *wanted)) for wanted in ((transform,), ()))
    assert untreated.error is not None or figures(untreated) != figures(treated)


def test_stacked_trials_may_differ_in_label_smoothing_under_a_turned_sign() -> None:
    given = PROGRAMS[Transform.NEGATE_LOSS]()
    changes = (SEEDS[0][1], {**SEEDS[1][1], **SMOOTHED}, SEEDS[2][1])
    compare(given, tuple(trial(0, change, Transform.NEGATE_LOSS) for change in changes))


def test_smoothed_and_weighed_classes_at_once_are_trained_one_by_one() -> None:
    given = PROGRAMS[Transform.WEIGHT_CLASSES]()  # torch computes that loss in a way that has no batched form
    trials = tuple(trial(seed, {**change, **SMOOTHED}, Transform.WEIGHT_CLASSES) for seed, change in SEEDS)
    found: dict[int, TrialResult] = {}
    how = run_trials(given, trials, on_result=found.__setitem__)
    assert [group.at_once for group in how] == [1]
    assert [figures(found[i]) for i in range(3)] == [figures(run_trial(given, one)) for one in trials]


def trial(seed: int, changes: dict[str, JsonValue], *wanted: Transform) -> Trial:
    return Trial(seed=seed, changes=changes, updates=UPDATES, evaluations=2, transforms=wanted)


def compare(given: Workload, trials: tuple[Trial, ...]) -> None:
    for stacked, one in zip(together(given, trials), trials, strict=True):
        alone, seen = figures(run_trial(given, one)), figures(stacked)
        for name, values in alone.items():
            assert seen[name] == pytest.approx(values, rel=1e-7, abs=1e-9), name
