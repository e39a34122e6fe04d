"""What will a trial do that nobody has trained yet? What healthy programs do, told as a result.

Only what the steps plan by is told: when a run ends, which learning rate does best, which fix promises. The numbers
come from the healthy programs of `tests/faults/healthy`, never from those that a diagnosis is tested with.
"""

import math
from typing import Literal

from diagnoser.evidence.preflight import Assumptions
from diagnoser.findings import Confidence, Finding, Fix, Severity
from diagnoser.protocol import so_far as known
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Evaluation, Outcome, Trial, TrialResult


class SmallSet(Record):
    """What a run at the user's lr does on the small set."""

    updates: int
    ended: Literal["memorised", "stalled", "going"]
    left: float = 0.0  # of the way from the first loss to the floor


class Course(Record):
    """One way in which a diagnosis may go."""

    small_set: SmallSet
    permuted: float  # times as long as on the labels as given
    zeroed: int  # updates until a run without inputs stalls
    other_lrs_help: bool  # where a run at the user's lr does not get there
    best_lr: float  # times the user's: what scan and search find
    promises: bool  # a fix does better at first sight, and is looked at twice
    one_more_fix: bool  # than those that are known to be tried


USUAL = SmallSet(updates=80, ended="memorised")
SLOW = SmallSet(updates=200, ended="memorised")
"""The geometric and the arithmetic mean of 135 runs; where one was tried, the others take as long (0.97 times)."""

SMOOTHLY = Course(
    small_set=USUAL, permuted=1.3, zeroed=225, other_lrs_help=True, best_lr=1.0, promises=False, one_more_fix=False
)
WITH_TROUBLE = Course(
    small_set=SLOW, permuted=4.0, zeroed=270, other_lrs_help=False, best_lr=0.5, promises=True, one_more_fix=True
)
"""Of 45 healthy programs, 26 had no fix to try; of the fixes that were tried, 4 in 10 were looked at twice. Where the
search finds nothing better than the user's own, the fine search is short: 5 of 13."""

INSIDE_THE_SCAN = (1e-4, 3.16e-2)  # the best lr lay inside the grid in 27 of 45 programs: then the scan ends there
FEW_UPDATES = 200  # in the whole run: then longer ones are tried, and smaller batches (CATALOGUE, "epochs")
USUAL_BATCH = 32
START, BEST, WORST = 1.0, 0.5, 0.9  # losses; any fall that a scan sees will do
TYPICAL = Fix(title="a fix that nothing has proposed yet", patch={"optimizer.momentum": 0.5})


def courses(seen: TrialResult | None) -> tuple[Course, Course]:
    """How it goes when all goes smoothly, and with some trouble; `seen`: one run on the small set, if it was tried."""
    if seen is None or seen.outcome not in {Outcome.COMPLETED, Outcome.DIVERGED}:
        return SMOOTHLY, WITH_TROUBLE
    ended = seen.stopped_by if seen.stopped_by in {"memorised", "stalled"} else "going"
    ended = "stalled" if seen.outcome is Outcome.DIVERGED else ended
    start, end, floor = seen.initial_loss, seen.final_loss, seen.floor or 0.0
    left = (end - floor) / (start - floor) if start is not None and end is not None and start > floor else 1.0
    known_now = SmallSet.model_validate({"updates": seen.updates, "ended": ended, "left": left})
    smoothly, troubled = (one.model_copy(update={"small_set": known_now}) for one in (SMOOTHLY, WITH_TROUBLE))
    return smoothly, troubled


def expected(trial: Trial, spec: TrainingSpec, assumed: Assumptions, course: Course) -> TrialResult:
    """The result of a trial, as far as steps plan by it."""
    length = _length(trial, spec, assumed) if trial.updates is None else trial.updates
    updates, stopped_by, left = length, "length", 0.0
    if trial.stop_when_memorised:
        updates, stopped_by, left = _on_the_small_set(trial, assumed, course, length=length)
    loss = _loss(trial, assumed, course)
    metric = 1 - loss if assumed.higher_is_better else loss
    end = Evaluation(
        updates=updates,
        epoch=updates / max(1, assumed.updates_per_epoch),
        lr=assumed.effective_lr,
        train_loss=loss,
        train_metric=metric,
        validation_loss=loss,
        validation_metric=metric,
    )
    return TrialResult.model_validate(
        {
            "outcome": Outcome.COMPLETED,
            "stopped_by": stopped_by,
            "updates": updates,
            "rows_used": 1,
            "batches_per_epoch": assumed.updates_per_epoch,
            "initial_loss": START,
            "losses": (START, loss),
            "evaluations": (end,) * trial.evaluations,
            "final_loss": left if trial.stop_when_memorised else loss,
            "final_metric": metric,
            "floor": 0.0,
        }
    )


def _on_the_small_set(
    trial: Trial, assumed: Assumptions, course: Course, *, length: int
) -> tuple[int, Literal["memorised", "stalled", "length"], float]:
    """Updates, what ended them, and the share of the way that is left."""
    seen = course.small_set
    if trial.rows.inputs == "zeroed":
        return min(length, course.zeroed), "stalled", START
    if seen.ended == "memorised":
        longer = course.permuted if trial.rows.labels == "permuted" else 1.0
        return min(length, round(longer * seen.updates)), "memorised", 0.0
    if trial.changes.get("optimizer.lr") != assumed.effective_lr and course.other_lrs_help:
        return min(length, USUAL.updates), "memorised", 0.0
    if seen.ended == "stalled":
        return min(length, seen.updates), "stalled", seen.left
    return length, "length", seen.left


def to_be_tried(
    draft: tuple[Finding, ...], spec: TrainingSpec, assumed: Assumptions, course: Course
) -> tuple[Finding, ...]:
    """The findings whose fixes will be tried: those known by now, and those that the steps will make."""
    fixes = [TYPICAL] if course.one_more_fix else []
    if assumed.total_updates < FEW_UPDATES:
        fixes += [_longer(spec, factor=factor) for factor in (2, 4)]
        if spec.steps is None and spec.data.batch_size > USUAL_BATCH:
            fixes.append(Fix(title="smaller batches", patch={"data.batch_size": spec.data.batch_size // 4}))
    return (*draft, _finding(tuple(fixes)))


def _longer(spec: TrainingSpec, *, factor: int) -> Fix:
    length = {"steps": factor * spec.steps} if spec.steps is not None else {"epochs": factor * known.epochs(spec)}
    return Fix(title="a longer run", patch=dict(length))


def _length(trial: Trial, spec: TrainingSpec, assumed: Assumptions) -> int:
    """Updates of a run whose length or batches a fix changes."""
    factor = 1.0
    for key, own in (("epochs", known.epochs(spec)), ("steps", spec.steps)):
        changed = trial.changes.get(key)
        if isinstance(changed, int | float) and own:
            factor *= changed / own
    batch = trial.changes.get("data.batch_size")
    if isinstance(batch, int | float) and batch and spec.steps is None:
        factor *= spec.data.batch_size / batch
    return max(1, round(assumed.total_updates * factor))


def _loss(trial: Trial, assumed: Assumptions, course: Course) -> float:
    low, high = INSIDE_THE_SCAN
    best = min(high, max(low, course.best_lr * assumed.effective_lr))
    lr = float(str(trial.changes.get("optimizer.lr", assumed.effective_lr)))
    loss = min(WORST, BEST + 0.05 * abs(math.log10(max(lr, 1e-12) / best)))
    treated = trial.scheduled and bool(trial.changes or trial.transforms)
    return loss - 0.01 if treated and course.promises else loss


def _finding(fixes: tuple[Fix, ...]) -> Finding:
    """One finding of no rule."""
    return Finding(
        id="expected",
        rule="expected",
        category="optimizer",
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        title="expected",
        why="",
        message="",
        observed="",
        expected="",
        evidence=(),
        fixes=fixes,
        fingerprint="expected",
        docs="",
    )
