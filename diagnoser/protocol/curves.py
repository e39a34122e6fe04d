"""Step 6: what do the curves of the user's own configuration look like?"""

import math

from diagnoser.evidence.steps import CurveRun, Curves, Steps
from diagnoser.protocol import curve_reading, learning_curve
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.curve_reading import Curve
from diagnoser.protocol.smoothing import moving_average, thin
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial, TrialResult

MOST_EVALUATIONS = 30
POINTS_KEPT = 400  # surface.md 3: at most 400 points a line
FEWEST_UPDATES = 10
SHARE_METRICS = ("accuracy", "balanced_accuracy", "f1")


def user_trial(spec: TrainingSpec, so_far: Steps, *, seed: int, updates: int | None, user_loop: bool = False) -> Trial:
    """The user's own run, in full or its first `updates`; the arm that every treatment is compared with."""
    assumed = known.assumptions(so_far)
    length = assumed.total_updates if updates is None else updates
    evaluations = math.ceil(length / max(1, assumed.updates_per_epoch))
    return Trial(
        seed=seed,
        updates=updates,
        scheduled=True,
        loop="user" if user_loop else "ours",
        evaluations=max(4, min(MOST_EVALUATIONS, evaluations)) if length >= FEWEST_UPDATES else 1,
        instruments=not user_loop,
    )


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """As many seeds of the whole run as fit; one shortened run where none does; the user's own loop beside ours.

    The preset `thorough` goes on with runs on a part of the rows.
    """
    if done:
        return learning_curve.plan(spec, so_far, done, allowance=allowance)
    assumed = known.assumptions(so_far)
    whole = user_trial(spec, so_far, seed=spec.seed, updates=None)
    evaluations = whole.evaluations
    fit = allowance.trials(updates=assumed.total_updates, evaluations=evaluations, at_most=spec.protocol.seeds + 1)
    if fit == 0:
        updates = allowance.updates(trials=1, evaluations=2, at_most=assumed.total_updates, at_least=FEWEST_UPDATES)
        short = user_trial(spec, so_far, seed=spec.seed, updates=updates)
        return (short.model_copy(update={"max_seconds": allowance.limit(trials=1)}),)
    seeds = range(spec.seed, spec.seed + min(fit, spec.protocol.seeds))
    ours = tuple(user_trial(spec, so_far, seed=seed, updates=None) for seed in seeds)
    theirs = (user_trial(spec, so_far, seed=spec.seed, updates=None, user_loop=True),) if spec.loop else ()
    limit = allowance.limit(trials=len(ours) + len(theirs))
    return tuple(trial.model_copy(update={"max_seconds": limit}) for trial in (*ours, *theirs))


def read(spec: TrainingSpec, so_far: Steps, done: Done) -> Curves:
    """Every run with its curves, their smoothed form and their classes."""
    assumed = known.assumptions(so_far)
    profile = known.data(so_far)
    rows = profile.validation.rows if profile is not None else 0
    own = learning_curve.of_the_whole(done)
    runs = tuple(_run(trial, result, higher_is_better=assumed.higher_is_better) for trial, result in own)
    last = [run.validation_metric[-1] for run in runs if run.validation_metric]
    return Curves(
        metric=assumed.metric,
        higher_is_better=assumed.higher_is_better,
        standard_error=standard_error(assumed.metric, last, rows),
        validation_rows=rows,
        updates_per_epoch=assumed.updates_per_epoch,
        planned_updates=assumed.total_updates,
        runs=runs,
        learning_curve=learning_curve.read(spec, done, rows=profile.train.rows if profile is not None else 0),
    )


def fraction_of_run(so_far: Steps, done: Done) -> float:
    """Share of the user's updates that the longest run did."""
    total = known.assumptions(so_far).total_updates
    return min(1.0, max((result.updates for _, result in done), default=0) / max(1, total))


def standard_error(metric: str, values: list[float | None], rows: int) -> float | None:
    """Binomial standard error of a share over `rows` rows; None for metrics that are no share."""
    known_values = [v for v in values if v is not None and math.isfinite(v)]
    if metric not in SHARE_METRICS or not known_values or rows < 1:
        return None
    p = min(max(sum(known_values) / len(known_values), 0.0), 1.0)
    return math.sqrt(max(p * (1 - p), 1 / (4 * rows)) / rows)  # never 0: the rule of succession at the ends


def _run(trial: Trial, result: TrialResult, *, higher_is_better: bool) -> CurveRun:
    points = result.evaluations
    curve = Curve(
        batch_losses=result.losses,
        initial_loss=result.initial_loss,
        batches_per_epoch=result.batches_per_epoch / result.stride if result.batches_per_epoch else None,
        epochs=tuple(point.epoch for point in points),
        train_loss=tuple(point.train_loss for point in points),
        train_metric=tuple(point.train_metric for point in points),
        validation_loss=tuple(point.validation_loss for point in points),
        validation_metric=tuple(point.validation_metric for point in points),
        higher_is_better=higher_is_better,
    )
    kept = thin(result.losses, at_most=POINTS_KEPT)
    stride = result.stride * max(1, math.ceil(len(result.losses) / POINTS_KEPT))
    every = result.gradient_norm_every * max(1, math.ceil(len(result.gradient_norms) / POINTS_KEPT))
    return CurveRun(
        seed=trial.seed,
        loop=trial.loop,
        outcome=result.outcome,
        stopped_by=result.stopped_by,
        updates=result.updates,
        initial_loss=result.initial_loss,
        batch_losses=kept,
        stride=stride,
        smoothed=thin(moving_average(result.losses), at_most=POINTS_KEPT),
        gradient_norms=thin(result.gradient_norms, at_most=POINTS_KEPT),
        gradient_norm_every=every if result.gradient_norms else None,
        epochs=curve.epochs,
        lrs=tuple(point.lr for point in points),
        train_loss=curve.train_loss,
        train_metric=curve.train_metric,
        validation_loss=curve.validation_loss,
        validation_metric=curve.validation_metric,
        reading=curve_reading.read(curve),
        layers=result.layers,
        train_mode_loss=result.train_mode_loss,
        eval_mode_loss=result.eval_mode_loss,
        recalibrated_loss=result.recalibrated_loss,
        evaluation_noise=result.evaluation_noise,
        prediction_counts=result.prediction_counts,
        recalls=result.recalls,
        confusion=result.confusion,
        outlier_loss_share=result.outlier_loss_share,
        weight_norm_start=result.weight_norm_start,
        weight_norm_end=result.weight_norm_end,
        first_non_finite=result.first_non_finite,
        user_metrics=result.user_metrics,
        error=result.error,
    )
