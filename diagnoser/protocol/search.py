"""What do two searches share? Trials of configurations, how they are ranked, and which key mattered."""

import math
from collections.abc import Iterable

from diagnoser.evidence.preflight import Assumptions
from diagnoser.evidence.steps import Search, SearchTrial, Steps
from diagnoser.protocol import so_far as known
from diagnoser.protocol.candidates import LR, WEIGHT_DECAY, Values, as_point, name, user_configuration
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Trial, TrialResult

ENOUGH_FOR_IMPORTANCE = 6  # a forest on fewer configurations says nothing
TREES = 64


def trials(
    values: Iterable[Values], *, seed: int, updates: int, limit: float, evaluations: int = 1
) -> tuple[Trial, ...]:
    """One trial per configuration, trained without decay of the lr and judged on validation."""
    plain = Trial(seed=seed, updates=updates, evaluations=evaluations, only_validated=True, max_seconds=limit)
    return tuple(plain.model_copy(update={"changes": dict(one)}) for one in values)


def badness(result: TrialResult, assumed: Assumptions) -> tuple[float, float]:
    """Lower is better: the validation metric in its direction, ties broken by validation loss; failed runs last."""
    end = result.evaluations[-1] if result.evaluations else None
    if result.outcome is not Outcome.COMPLETED or end is None:
        return (math.inf, math.inf)
    loss = end.validation_loss if end.validation_loss is not None else math.inf
    metric = end.validation_metric
    if metric is None or not math.isfinite(metric):
        return (loss if math.isfinite(loss) else math.inf, loss)
    return (-metric if assumed.higher_is_better else metric, loss)


def read(spec: TrainingSpec, so_far: Steps, done: Done, *, mode: str, proposals: dict[str, str]) -> Search:
    """Every trial, the best of the longest ones, the user's own, and the importance of each key."""
    assumed = known.assumptions(so_far)
    rungs = sorted({trial.updates or 0 for trial, _ in done})
    last = max(trial.updates or 0 for trial, _ in done)
    own = name(user_configuration(spec, lr=known.user_lr(so_far), keys=tuple(spec.search)))
    ranked = sorted(
        (i for i, (trial, _) in enumerate(done) if (trial.updates or 0) == last),
        key=lambda i: badness(done[i][1], assumed),
    )
    best = ranked[0] if ranked and math.isfinite(badness(done[ranked[0]][1], assumed)[0]) else None
    mine = [i for i, (trial, _) in enumerate(done) if name(trial.changes) == own]
    weights, because = importance(done, assumed)
    return Search.model_validate(
        {
            "mode": mode,
            "metric": assumed.metric,
            "higher_is_better": assumed.higher_is_better,
            "trials": tuple(
                _trial(trial, result, rungs.index(trial.updates or 0), proposals.get(name(trial.changes), "grid"))
                for trial, result in done
            ),
            "best": best,
            "user": max(mine, key=lambda i: done[i][0].updates or 0) if mine else None,
            "importance": weights,
            "importance_because": because,
        }
    )


def importance(done: Done, assumed: Assumptions) -> tuple[dict[str, float], str]:
    """Share of each key in what a random forest learns about the validation loss (Hutter et al. 2014, in spirit).

    A failed run counts as the worst loss seen. Empty, with the reason, for too few configurations.
    """
    shortest = min(trial.updates or 0 for trial, _ in done)
    rows = [(t.changes, r) for t, r in done if (t.updates or 0) == shortest]
    keys = tuple(sorted({key for changes, _ in rows for key in changes}))
    scores = [badness(result, assumed)[1] for _, result in rows]
    usable = [s for s in scores if math.isfinite(s)]
    if len(usable) < ENOUGH_FOR_IMPORTANCE or len(set(usable)) < 2:
        return {}, f"{len(usable)} configurations are too few to tell which hyperparameter mattered"
    from sklearn.ensemble import RandomForestRegressor

    worst = max(usable)
    forest = RandomForestRegressor(n_estimators=TREES, random_state=0)
    forest.fit(
        [as_point(changes, keys) for changes, _ in rows],
        [math.log(max(s, 1e-12)) if math.isfinite(s) else math.log(max(worst, 1e-12)) + 1 for s in scores],
    )
    shares = dict(zip(keys, (round(float(w), 4) for w in forest.feature_importances_), strict=True))
    return shares, f"a random forest over {len(rows)} configurations of equal length"


def _trial(trial: Trial, result: TrialResult, rung: int, proposed_by: str) -> SearchTrial:
    end = result.evaluations[-1] if result.evaluations else None
    return SearchTrial.model_validate(
        {
            "values": trial.changes,
            "seed": trial.seed,
            "rung": rung,
            "updates": result.updates,
            "outcome": result.outcome,
            "train_loss": end.train_loss if end else None,
            "validation_loss": end.validation_loss if end else None,
            "validation_metric": end.validation_metric if end else None,
            "proposed_by": proposed_by,
        }
    )


def lr_of(values: Values) -> float:
    """The lr of a configuration."""
    return float(str(values[LR]))


def weight_decay_of(values: Values) -> float:
    """The weight decay of a configuration."""
    return float(str(values.get(WEIGHT_DECAY, 0.0)))
