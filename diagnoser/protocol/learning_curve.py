"""Would more rows help? The user's configuration on a quarter, on half and on all of its training rows.

Every run makes as many updates as the whole run: with equal epochs fewer rows would mean less training as well. What
counts epochs (a schedule, early stopping) would come sooner on fewer rows: then none of these runs has it, and all of
the rows are trained on once more without it.
"""

from itertools import groupby

from diagnoser.evidence.steps import LearningPoint, Steps
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Rows, Trial, TrialResult

SHARES = (0.25, 0.5)  # CATALOGUE, training-set-too-small
FEWEST_SEEDS = 2  # CATALOGUE, second law: what depends on the seed must appear in two of three


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """Runs on a part of the rows for each seed whose whole run came to its end; none unless two seeds fit."""
    frozen_at_first = any(group.frozen_epochs for group in spec.optimizer.groups)  # epochs, in every run
    if spec.protocol.preset != "thorough" or frozen_at_first or any(is_part(trial) for trial, _ in done):
        return ()
    total = known.assumptions(so_far).total_updates
    seeds = tuple(trial.seed for trial, result in done if trial.loop == "ours" and _is_whole(trial, result))
    shares = (*SHARES, 1.0) if _counts_epochs(spec) else SHARES
    fit = allowance.trials(updates=total, at_most=len(shares) * len(seeds)) // len(shares)
    if fit < FEWEST_SEEDS:
        return ()
    trials = tuple(
        Trial(seed=seed, updates=total, rows=Rows(share=share), evaluations=1)
        for share in shares
        for seed in seeds[:fit]
    )
    limit = allowance.limit(trials=len(trials))
    return tuple(trial.model_copy(update={"max_seconds": limit}) for trial in trials)


def is_part(trial: Trial) -> bool:
    """Whether a run of this step is one of the learning curve's; the user's own run is always scheduled."""
    return not trial.scheduled


def of_the_whole(done: Done) -> Done:
    """The user's own runs alone."""
    return tuple((trial, result) for trial, result in done if not is_part(trial))


def read(spec: TrainingSpec, done: Done, *, rows: int) -> tuple[LearningPoint, ...] | None:
    """One point a share, by share; all of the rows last. None where it was not asked for."""
    parts = [(trial, result) for trial, result in done if is_part(trial)]
    if not parts:
        return None
    seeds = {trial.seed for trial, _ in parts}
    if not _counts_epochs(spec):
        own = of_the_whole(done)
        parts += [(trial, result) for trial, result in own if trial.loop == "ours" and trial.seed in seeds]
    parts.sort(key=lambda pair: (pair[0].rows.share, pair[0].seed))
    return tuple(
        _point(share, tuple(pairs), rows=rows) for share, pairs in groupby(parts, key=lambda pair: pair[0].rows.share)
    )


def _point(share: float, pairs: Done, *, rows: int) -> LearningPoint:
    ends = [result.evaluations[-1] if result.evaluations else None for _, result in pairs]
    return LearningPoint(
        share=share,
        rows=max(1, round(share * rows)),
        seeds=tuple(trial.seed for trial, _ in pairs),
        outcomes=tuple(_outcome(result) for _, result in pairs),
        train_metric=tuple(end.train_metric if end is not None else None for end in ends),
        validation_metric=tuple(end.validation_metric if end is not None else None for end in ends),
    )


def _outcome(result: TrialResult) -> Outcome:
    """A run that its time limit cut short is not comparable with one that went to its end."""
    return Outcome.TIMED_OUT if result.stopped_by == "time" else result.outcome


def _is_whole(trial: Trial, result: TrialResult) -> bool:
    return trial.updates is None and result.outcome is Outcome.COMPLETED and result.stopped_by != "time"


def _counts_epochs(spec: TrainingSpec) -> bool:
    """Whether the whole run differs from one that has only its updates."""
    return spec.scheduler is not None or spec.early_stopping is not None or spec.ema is not None
