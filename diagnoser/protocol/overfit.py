"""Step 2: can the model memorise a few rows?"""

from statistics import fmean
from typing import Literal

from diagnoser.evidence.steps import Overfit, SmallSetAttempt, Steps
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.smoothing import finite, thin
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import Task, TrainingSpec
from diagnoser.trials import Outcome, Rows, Transform, Trial, TrialResult

PER_CLASS = 8  # CS231n: a tiny subset; CATALOGUE: 5-10 rows a class
MOST_UPDATES = 2_000  # healthy classifiers need 20-280, a healthy autoencoder 520 to over 3,000 (CATALOGUE)
FEWEST_UPDATES = 20
LADDER = (1 / 3, 3.0, 1 / 10, 10.0, 1 / 100, 100.0)  # times the user's lr: tells "wrong lr" from "broken pipeline"
SEEDS = 3
STILL_FALLING = 0.01  # CATALOGUE: it fails only when the loss fell < 1 % in 100 updates
LOOK_BACK = 100
HALF_WAY = 0.5  # of the fall from the initial loss to the floor
POINTS_KEPT = 200
SMALL_SET = Rows(per_class=PER_CLASS)

Control = Literal["none", "permuted_labels", "zeroed_inputs", "standardised_inputs", "reinitialised"]


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """The user's lr over seeds, with controls; where that failed a ladder of lrs, then cures of the usual causes."""
    lr = known.user_lr(so_far)
    if not done:
        plain = [_attempt(lr, spec.seed + n) for n in range(min(SEEDS, spec.protocol.seeds))]
        controls = [
            _attempt(lr, spec.seed, rows=Rows(per_class=PER_CLASS, inputs="zeroed")),
            _attempt(lr, spec.seed, rows=Rows(per_class=PER_CLASS, labels="permuted")),
            _attempt(lr, spec.seed, regularised=True),
        ]
        return _bounded((*plain, *controls), allowance)
    plain_runs = [result for trial, result in done if _is_plain(trial) and trial.changes["optimizer.lr"] == lr]
    if all(result.stopped_by == "memorised" or _on_its_way(result) for result in plain_runs):
        return ()
    tried = {trial.changes["optimizer.lr"] for trial, _ in done if _is_plain(trial)}
    rungs = (float(f"{lr * factor:.3g}") for factor in LADDER)
    ladder = tuple(_attempt(rung, spec.seed) for rung in rungs if rung not in tried)
    if ladder:
        return _bounded(ladder, allowance)
    passed = [t.changes["optimizer.lr"] for t, r in done if _is_plain(t) and r.stopped_by == "memorised"]
    if passed or any(trial.transforms for trial, _ in done):
        return ()
    best = min((t for t, _ in done if _is_plain(t)), key=lambda t: _lowest(dict(_pairs(done)), t))
    rates = dict.fromkeys((lr, best.changes["optimizer.lr"]))
    cures = (Transform.STANDARDISE_INPUTS, Transform.REINITIALISE)
    return _bounded(
        tuple(_attempt(float(str(rate)), spec.seed, transforms=(cure,)) for cure in cures for rate in rates), allowance
    )


def read(spec: TrainingSpec, so_far: Steps, done: Done) -> Overfit:
    """Every attempt, and the floor below which these targets let no loss go."""
    results = [result for _, result in done]
    first = next((r for r in results if r.floor is not None), results[0])
    assumed = known.assumptions(so_far)
    ceiling = first.metric_ceiling
    return Overfit(
        rows=max(result.rows_used for result in results),
        metric=assumed.metric,
        metric_ceiling=ceiling if ceiling is not None else (0.95 if assumed.task is Task.REGRESSION else 1.0),
        floor=first.floor if first.floor is not None else 0.0,
        floor_because=first.floor_because or "no floor above zero is known for this loss",
        user_lr=known.user_lr(so_far),
        attempts=tuple(_read_attempt(trial, result) for trial, result in done),
        contradictions=max(result.contradictions for result in results),
    )


def _attempt(
    lr: float,
    seed: int,
    *,
    rows: Rows = SMALL_SET,
    regularised: bool = False,
    transforms: tuple[Transform, ...] = (),
) -> Trial:
    return Trial(
        seed=seed,
        changes={"optimizer.lr": lr},
        rows=rows,
        transforms=transforms,
        regularised=regularised,
        evaluations=0,
        stop_when_memorised=True,
        stop_when_stalled=True,
    )


def _on_its_way(result: TrialResult) -> bool:
    """Whether a run that did not get there has come more than half the way: another lr would tell nothing new."""
    start, end = result.initial_loss, result.final_loss
    if start is None or end is None or result.outcome is not Outcome.COMPLETED or result.stopped_by == "stalled":
        return False
    return end - (result.floor or 0.0) < HALF_WAY * (start - (result.floor or 0.0))


def _bounded(trials: tuple[Trial, ...], allowance: Allowance) -> tuple[Trial, ...]:
    updates = allowance.updates(trials=len(trials), evaluations=0, at_most=MOST_UPDATES, at_least=FEWEST_UPDATES)
    limit = allowance.limit(trials=len(trials))
    return tuple(trial.model_copy(update={"updates": updates, "max_seconds": limit}) for trial in trials)


def _is_plain(trial: Trial) -> bool:
    return trial.rows == SMALL_SET and not trial.regularised and not trial.transforms


def _pairs(done: Done) -> tuple[tuple[str, TrialResult], ...]:
    return tuple((trial.model_dump_json(), result) for trial, result in done)


def _lowest(results: dict[str, TrialResult], trial: Trial) -> float:
    return min(finite(results[trial.model_dump_json()].losses), default=float("inf"))


def _control(trial: Trial) -> Control:
    if trial.rows.inputs == "zeroed":
        return "zeroed_inputs"
    if trial.rows.labels == "permuted":
        return "permuted_labels"
    if Transform.STANDARDISE_INPUTS in trial.transforms:
        return "standardised_inputs"
    return "reinitialised" if Transform.REINITIALISE in trial.transforms else "none"


def _read_attempt(trial: Trial, result: TrialResult) -> SmallSetAttempt:
    losses = finite(result.losses)
    return SmallSetAttempt(
        lr=float(str(trial.changes["optimizer.lr"])),
        seed=trial.seed,
        regularised=trial.regularised,
        control=_control(trial),
        outcome=result.outcome,
        stopped_by=result.stopped_by,
        updates=result.updates,
        initial_loss=result.initial_loss,
        final_loss=result.final_loss,
        final_metric=result.final_metric,
        lowest_loss=min(losses, default=None),
        memorised=result.stopped_by == "memorised",
        still_falling=_still_falling(result),
        losses=thin(result.losses, at_most=POINTS_KEPT),
        stride=result.stride * max(1, -(-len(result.losses) // POINTS_KEPT)),
    )


def _still_falling(result: TrialResult) -> bool:
    """Whether the run ended with its loss on the way down: then it proves nothing."""
    if result.stopped_by in {"memorised", "stalled", "diverged", "error"}:
        return False
    look = max(2, LOOK_BACK // result.stride)
    losses = finite(result.losses)
    if len(losses) < 2 * look:
        return True
    before, after = fmean(losses[-2 * look : -look]), fmean(losses[-look:])
    reference = abs(result.initial_loss) if result.initial_loss else abs(losses[0])
    return before - after > STILL_FALLING * max(reference, 1e-12)
