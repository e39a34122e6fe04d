"""Did trying a fix help? The one statistical test behind `verified` and `refuted`."""

import math
from itertools import pairwise
from statistics import fmean, stdev
from typing import NamedTuple

from diagnoser.evidence.steps import Treatment, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.trials import Outcome, Transform

ERROR_RATE = 0.05
"""Of the two-sided interval over all looks (CATALOGUE, *clearly better*), which share it evenly (Bonferroni)."""
LEAST_SEEDS = 2
"""One pair has no spread: nothing follows from it."""
STANDARD_ERRORS = 2.0
"""A difference within two standard errors of the validation metric may be that of the rows (CATALOGUE)."""
LEAST_SHARE = 0.005
"""Half a percentage point of accuracy or R²: a smaller gain is not worth a change, however certain it is."""
LEAST_RELATIVE = 0.02
"""The same for losses and metrics without a scale of their own: 2 % of the untreated value, and of a loss half a
percent of where it started: cross-entropy halves for ever once every answer is right."""
SHARES = frozenset({"accuracy", "balanced_accuracy", "f1", "r2"})
"""Metrics whose best value is 1."""
WORST = {"r2": 0.0}
"""Below it a model is worse than a constant: how much worse says nothing, and a single -1e9 would drown all seeds."""
CANNOT_TELL = frozenset({Outcome.TIMED_OUT, Outcome.WORKER_LOST})
"""Runs that say something about the machine, not about the model."""
LOSSES = frozenset({"loss", "perplexity"})
"""Metrics that are the loss under another name."""
OTHER_LOSS = ("loss", "metric", "task")
"""Keys of patches under which such a metric measures something else."""
OTHER_LOSS_BY_TRANSFORM = frozenset({Transform.WEIGHT_CLASSES, Transform.RELABEL})
"""The same for transforms."""
RANK = (FixState.VERIFIED, FixState.REFUTED, FixState.INCONCLUSIVE, FixState.UNTESTED)


class Verdict(NamedTuple):
    """What the paired comparison says."""

    state: FixState
    difference: float | None  # mean paired difference, positive is better
    interval: tuple[float, float] | None
    note: str
    before: str = ""  # in words, for the report
    after: str = ""


class _Pair(NamedTuple):
    """One seed; None: the run failed."""

    before: float | None
    after: float | None


class _Measure(NamedTuple):
    """What is compared: the metric, or the validation loss where the metric has no room left."""

    words: str
    pairs: tuple[_Pair, ...]
    higher_is_better: bool
    is_share: bool
    start: float | None  # where an untreated run starts, of a loss
    worst: float | None = None  # values beyond it count as this


class Addition(Treatment):
    """What a fix brings beyond another one: both at once, beside runs with the other one alone. Read, not measured."""

    beside: str  # title of the other one


def alone(treatments: Treatments | None, key: str) -> Treatment | None:
    """The treatment that tried what this key names, under whichever finding proposed it."""
    if treatments is None:
        return None
    return next((tried for tried in treatments.treatments if tried.fix == key), None)


def find(treatments: Treatments | None, fix: Fix) -> Treatment | None:
    """The treatment that tells most about this fix: alone; or beside another one, where only that shows that it helps.

    Of two faults at once each hides the other: a cure that showed nothing by itself may be half of one.
    """
    tried = alone(treatments, fix.key)
    if treatments is None or tried is None or compare(tried).state is FixState.VERIFIED:
        return tried
    for both in united(treatments):
        added = addition(treatments, both, fix.key)
        if added is not None and confirms(both, added):
            return added
    return tried


def united(treatments: Treatments | None) -> tuple[Treatment, ...]:
    """The treatments of several causes at once."""
    return tuple(tried for tried in treatments.treatments if tried.parts) if treatments is not None else ()


def addition(treatments: Treatments | None, both: Treatment, key: str) -> Addition | None:
    """What the part of this key brings beyond the other part, over the seeds that both were run with.

    None where it is no part, or the other part was not tried alone.
    """
    own = alone(treatments, key) if key in both.parts else None
    other = next((tried for part in both.parts if part != key and (tried := alone(treatments, part))), None)
    if own is None or other is None or other.metric != both.metric:
        return None
    seeds = [seed for seed in both.seeds if seed in other.seeds]
    left, right = [other.seeds.index(seed) for seed in seeds], [both.seeds.index(seed) for seed in seeds]
    said = own.model_dump() | {  # its own patch decides whether two losses compare: the other one is on both sides
        "beside": other.title,
        "seeds": seeds,
        "looks": both.looks,
        "before": [other.after[at] for at in left],
        "before_loss": [other.after_loss[at] for at in left],
        "before_outcomes": [other.after_outcomes[at] for at in left],
        "after": [both.after[at] for at in right],
        "after_loss": [both.after_loss[at] for at in right],
        "after_outcomes": [both.after_outcomes[at] for at in right],
        "error": other.error or both.error,
    }
    return Addition.model_validate(said)


def confirms(both: Treatment, added: Addition) -> bool:
    """Whether two cures at once show that this part is a cure: they help, and beyond what the other one does alone."""
    return compare(both).state is FixState.VERIFIED and compare(added).state is FixState.VERIFIED


def state(treatments: Treatments | None, *fixes: Fix) -> FixState:
    """The best state of these fixes: verified if any was, else refuted, inconclusive, untested in that order."""
    tried = (find(treatments, fix) for fix in fixes if fix.can_be_tried)
    states = {compare(treatment).state for treatment in tried if treatment is not None}
    return next((rank for rank in RANK if rank in states), FixState.UNTESTED)


def compare(treatment: Treatment) -> Verdict:
    """Judge a treatment by the paired differences of its seeds.

    verified: the interval of the difference excludes zero, and the mean is above two standard errors and above the
    smallest effect worth a change. refuted: it excludes such an effect, or the mean is worse by as much. Runs that
    failed count as the worst value seen; where all untreated runs failed and no treated one did, that is proof enough.
    """
    if treatment.error is not None:
        return _undecided(f"it could not be applied: {treatment.error.kind}: {treatment.error.message}")
    if _other_units(treatment):
        return _undecided(f"the {_words(treatment.metric)} means something else under it, so the two do not compare")
    measure = _measure(treatment)
    seeds = len(measure.pairs)
    if seeds < LEAST_SEEDS:
        return _undecided(f"{_count(seeds, 'pair')} of runs came to an end, which is too few to tell")
    rescued = sum(pair.before is None and pair.after is not None for pair in measure.pairs)
    lost = sum(pair.after is None and pair.before is not None for pair in measure.pairs)
    before, after = _in_words(treatment, measure)
    if rescued == seeds:
        note = f"without it every run failed, with it none did ({seeds} seeds)"
        return Verdict(FixState.VERIFIED, None, None, note, before, after)
    if lost == seeds:
        note = f"with it every run failed, without it none did ({seeds} seeds)"
        return Verdict(FixState.REFUTED, None, None, note, before, after)
    differences = _differences(measure)
    if not differences:
        failed = any(o is not Outcome.COMPLETED for o in (*treatment.before_outcomes, *treatment.after_outcomes))
        note = "the runs failed with it and without it" if failed else "no figure on validation was measured"
        return _undecided(note, before, after)
    verdict = _judge(measure, differences, standard_error=treatment.standard_error, looks=treatment.looks)
    return verdict._replace(before=before, after=after)


def _in_words(treatment: Treatment, measure: _Measure) -> tuple[str, str]:
    """The figures of both sides; of what a fix adds to another one, with that one's name."""
    before, after = _side(measure, "before"), _side(measure, "after")
    if isinstance(treatment, Addition):
        return f"{before} with “{treatment.beside}” alone", f"{after} with both"
    return before, after


def _other_units(treatment: Treatment) -> bool:
    """Whether the metric is measured in other units with the fix than without it."""
    if Transform.STANDARDISE_TARGETS in treatment.transforms and treatment.metric not in SHARES:
        return True
    if Transform.SHIFT_TARGETS in treatment.transforms or "loss.args.ignore_index" in treatment.patch:
        return True  # other tokens, or other rows, are asked for
    changed = OTHER_LOSS_BY_TRANSFORM | ({Transform.NEGATE_LOSS} if isinstance(treatment, Addition) else set())
    if treatment.metric in LOSSES and changed & set(treatment.transforms):
        return True  # a turned sign is reckoned with where the untreated runs are one side: see protocol/yardstick.py
    return treatment.metric in LOSSES and any(key.split(".")[0] in OTHER_LOSS for key in treatment.patch)


def _judge(measure: _Measure, differences: tuple[float, ...], *, standard_error: float | None, looks: int) -> Verdict:
    mean = fmean(differences)
    least = _least_effect(measure)
    low, high = interval = _interval(differences, looks=looks)
    better = sum(difference > 0 for difference in differences)
    note = f"{measure.words} was better in {better} of {len(differences)} seeds"
    # The metric's own standard error is no yardstick for a loss, which has none on record.
    noise = STANDARD_ERRORS * standard_error if standard_error and "loss" not in measure.words else 0.0
    if low > 0 and mean > max(least, noise):
        return Verdict(FixState.VERIFIED, mean, interval, note)
    if high < least or mean <= -least:
        return Verdict(FixState.REFUTED, mean, interval, note if any(differences) else "it changed nothing")
    return Verdict(FixState.INCONCLUSIVE, mean, interval, f"{note}; seeds differ as much as the fix")


def _interval(differences: tuple[float, ...], *, looks: int) -> tuple[float, float]:
    """Student's interval of the mean; a single point where all differences are equal."""
    mean, count = fmean(differences), len(differences)
    spread = stdev(differences)
    if all(math.isclose(one, other, rel_tol=1e-12) for one, other in pairwise(differences)):
        return mean, mean
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 1 - ERROR_RATE / looks / 2)) * spread / math.sqrt(count)
    return mean - half, mean + half


def _measure(treatment: Treatment) -> _Measure:
    """The metric; the validation loss where there is no metric, or both arms stand at its ceiling."""
    outcomes = tuple(zip(treatment.before_outcomes, treatment.after_outcomes, strict=True))
    metric = _Measure(
        words=f"validation {_words(treatment.metric)}",
        pairs=_pairs(treatment.before, treatment.after, outcomes),
        higher_is_better=treatment.higher_is_better,
        is_share=treatment.metric in SHARES,
        start=treatment.start_loss if treatment.metric == "loss" else None,
        worst=WORST.get(treatment.metric),
    )
    values = [value for pair in metric.pairs for value in pair]
    at_ceiling = metric.is_share and all(value is not None and value > 1 - LEAST_SHARE for value in values)
    unknown = all(value is None for value in (*treatment.before, *treatment.after))
    if treatment.loss_comparable and values and (at_ceiling or unknown):
        pairs = _pairs(treatment.before_loss, treatment.after_loss, outcomes)
        return _Measure(
            words="validation loss", pairs=pairs, higher_is_better=False, is_share=False, start=treatment.start_loss
        )
    return metric


def _pairs(
    before: tuple[float | None, ...],
    after: tuple[float | None, ...],
    outcomes: tuple[tuple[Outcome, Outcome], ...],
) -> tuple[_Pair, ...]:
    return tuple(
        _Pair(_value(left, ended[0]), _value(right, ended[1]))
        for left, right, ended in zip(before, after, outcomes, strict=True)
        if not CANNOT_TELL.intersection(ended)
    )


def _value(value: float | None, outcome: Outcome) -> float | None:
    good = outcome is Outcome.COMPLETED and value is not None and math.isfinite(value)
    return value if good else None


def _differences(measure: _Measure) -> tuple[float, ...]:
    values = [value for pair in measure.pairs for value in pair if value is not None]
    if not values:
        return ()
    worst = min(values) if measure.higher_is_better else max(values)
    sign = 1 if measure.higher_is_better else -1
    # Where no treated run is of use either, the two are compared as they are: less bad is better.
    useful = measure.worst is not None and any(
        b is not None and sign * b > sign * measure.worst for _, b in measure.pairs
    )
    least = sign * measure.worst if measure.worst is not None and useful else -math.inf
    filled = ((max(least, sign * (worst if v is None else v)) for v in pair) for pair in measure.pairs)
    return tuple(after - before for before, after in filled)


def _least_effect(measure: _Measure) -> float:
    if measure.is_share:
        return LEAST_SHARE
    known = [pair.before for pair in measure.pairs if pair.before is not None]
    if not known:
        return 0.0
    relative = LEAST_RELATIVE * fmean(abs(value) for value in known)
    if measure.start is None or not math.isfinite(measure.start):
        return relative
    if min(known) < 0:  # the zero of such a loss is in no special place
        return LEAST_RELATIVE * max(abs(measure.start), measure.start - fmean(known))
    return max(relative, LEAST_SHARE * measure.start)  # 1 - loss / start is to a loss what R² is to a squared error


def _side(measure: _Measure, side: str) -> str:
    """`validation accuracy 0.970 (3 of 3 seeds)`, or that it failed."""
    values = [getattr(pair, side) for pair in measure.pairs]
    known = [value for value in values if value is not None]
    if not known:
        return f"failed in {len(values)} of {len(values)} seeds"
    return f"{measure.words} {fmean(known):.4g} ({len(known)} of {len(values)} seeds)"


def _words(metric: str) -> str:
    return {"r2": "R²", "f1": "F1", "mae": "mean absolute error"}.get(metric, metric.replace("_", " "))


def _undecided(note: str, before: str = "", after: str = "") -> Verdict:
    return Verdict(FixState.INCONCLUSIVE, None, None, note, before, after)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
