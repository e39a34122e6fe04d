"""Would more rows help? Runs on a part of the rows, as many updates as the whole run, in the preset thorough."""

import pytest

from diagnoser.protocol import curves, learning_curve
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Evaluation, Outcome, Trial, TrialResult
from tests.helpers import make

STEPS = make.steps()
UPDATES = 640  # of the whole run of `make`
PLENTY = Allowance(seconds=1_000.0)


def thorough(**changes: object) -> TrainingSpec:
    return make.spec(protocol={"preset": "thorough"}, **changes)


def ran(metric: float = 0.9, **changes: object) -> TrialResult:
    end = Evaluation(
        updates=UPDATES, epoch=20.0, lr=1e-3, train_loss=0.01, train_metric=1.0, validation_loss=0.3,
        validation_metric=metric,
    )  # fmt: skip
    return TrialResult(outcome=Outcome.COMPLETED, updates=UPDATES, losses=(2.3, 0.1), evaluations=(end,)).model_copy(
        update=changes
    )


def whole_runs(spec: TrainingSpec, *results: TrialResult) -> Done:
    trials = [curves.user_trial(spec, STEPS, seed=seed, updates=None) for seed in range(len(results))]
    return tuple(zip(trials, results, strict=True))


def planned(spec: TrainingSpec, done: Done, *, allowance: Allowance = PLENTY) -> tuple[Trial, ...]:
    return curves.plan(spec, STEPS, done, allowance=allowance)


def test_a_quarter_and_half_of_the_rows_are_trained_on_for_as_many_updates() -> None:
    spec = thorough()
    trials = planned(spec, whole_runs(spec, ran(), ran(), ran()))
    assert [(trial.rows.share, trial.seed) for trial in trials] == [(s, seed) for s in (0.25, 0.5) for seed in range(3)]
    assert {trial.updates for trial in trials} == {UPDATES}


def test_then_the_step_is_done() -> None:
    spec = thorough()
    done = whole_runs(spec, ran(), ran(), ran())
    parts = tuple((trial, ran()) for trial in planned(spec, done))
    assert parts
    assert planned(spec, done + parts) == ()


@pytest.mark.parametrize("preset", ["quick", "standard"])
def test_the_other_presets_do_not_pay_for_it(preset: str) -> None:
    spec = make.spec(protocol={"preset": preset})
    assert planned(spec, whole_runs(spec, ran(), ran(), ran())) == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"scheduler": {"name": "step", "args": {"step_size": 5}}},
        {"early_stopping": {"patience": 3}},
        {"ema": {"decay": 0.99}},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_counts_epochs_is_left_out_of_all_arms(settings: dict[str, object]) -> None:
    spec = thorough(**settings)
    trials = planned(spec, whole_runs(spec, ran(), ran(), ran()))
    assert sorted({trial.rows.share for trial in trials}) == [0.25, 0.5, 1.0]
    assert not any(trial.scheduled for trial in trials)


def test_layers_that_are_frozen_for_some_epochs_make_no_fair_comparison() -> None:
    spec = thorough(optimizer={"groups": [{"match": "backbone.*", "frozen_epochs": 2}]})
    assert planned(spec, whole_runs(spec, ran(), ran(), ran())) == ()


def test_two_seeds_are_taken_where_three_do_not_fit_and_none_where_one_does() -> None:
    spec = thorough()
    done = whole_runs(spec, ran(), ran(), ran())
    each = UPDATES * 0.01
    two, one = (Allowance(seconds=(2 * seeds + 0.5) * each, seconds_per_update=0.01) for seeds in (2, 1))
    assert {trial.seed for trial in planned(spec, done, allowance=two)} == {0, 1}
    assert planned(spec, done, allowance=one) == ()


def test_only_seeds_whose_whole_run_came_to_its_end_are_compared() -> None:
    spec = thorough()
    failed, late = ran(outcome=Outcome.DIVERGED), ran(stopped_by="time")
    assert {trial.seed for trial in planned(spec, whole_runs(spec, ran(), failed, ran()))} == {0, 2}
    assert planned(spec, whole_runs(spec, ran(), failed, late)) == ()


def test_a_shortened_run_has_no_learning_curve() -> None:
    spec = thorough()
    short = curves.user_trial(spec, STEPS, seed=0, updates=100)
    assert planned(spec, ((short, ran()), (short, ran()))) == ()


def test_the_curve_goes_from_few_rows_to_all_and_the_runs_stay_the_users_own() -> None:
    spec = thorough()
    done = whole_runs(spec, ran(0.95), ran(0.96), ran(0.94))
    trials = planned(spec, done)
    parts = tuple((trial, ran(0.8 if trial.rows.share == 0.25 else 0.9)) for trial in trials)
    seen = curves.read(spec, STEPS, done + parts)
    assert len(seen.runs) == 3
    assert seen.learning_curve is not None
    assert [(point.share, point.rows, point.validation_metric) for point in seen.learning_curve] == [
        (0.25, 250, (0.8,) * 3),
        (0.5, 500, (0.9,) * 3),
        (1.0, 1000, (0.95, 0.96, 0.94)),
    ]


def test_under_a_schedule_all_of_the_rows_are_those_without_it() -> None:
    spec = thorough(scheduler={"name": "cosine"})
    done = whole_runs(spec, ran(0.99), ran(0.99))
    parts = tuple((trial, ran(0.9, stopped_by="time")) for trial in planned(spec, done))
    curve = curves.read(spec, STEPS, done + parts).learning_curve
    assert curve is not None
    assert [(point.share, point.validation_metric) for point in curve][-1] == (1.0, (0.9, 0.9))
    assert {outcome for point in curve for outcome in point.outcomes} == {Outcome.TIMED_OUT}


def test_without_such_runs_there_is_no_curve() -> None:
    spec = make.spec()
    assert curves.read(spec, STEPS, whole_runs(spec, ran())).learning_curve is None
    assert learning_curve.read(spec, (), rows=10) is None
