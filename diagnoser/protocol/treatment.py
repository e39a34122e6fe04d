"""Step 7: does the proposed fix cure it? Every fix is trained beside the untreated run over paired seeds."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from diagnoser.evidence.steps import Steps, Treatment, Treatments
from diagnoser.findings import Confidence, Finding, Fix, Severity
from diagnoser.protocol import again, combining, yardstick
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.combining import Alone, Pair
from diagnoser.protocol.curves import user_trial
from diagnoser.protocol.so_far import Done
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome, Transform, Trial, TrialResult

PAIRS = 3  # CATALOGUE, "clearly better": at least 3 paired seeds
LOOKS = (PAIRS, 2 * PAIRS, 4 * PAIRS)  # pairs: at first, where it promises, and where it does in most seeds but not all
MOST_FIXES = {"quick": 2, "standard": 8, "thorough": 24}
MOST_CURES = 2  # of which steps 1 and 2 are measured again
FEWEST_UPDATES = 20
CHANGES_THE_LOSS = ("loss", "metric", "task", "precision", "data.")
TRANSFORMS_OF_THE_LOSS = {
    *(Transform.STANDARDISE_TARGETS, Transform.REMOVE_FINAL_ACTIVATION, Transform.NEGATE_LOSS),
    *(Transform.WEIGHT_CLASSES, Transform.RELABEL, Transform.SHIFT_TARGETS),
    *(Transform.VALIDATION_AS_TRAINING, Transform.VALIDATION_LABELS_AS_TRAINING),
}
CHANGES_THE_BATCH = ("data.batch_size", "accumulate_batches")
CHANGES_THE_LENGTH = ("epochs", "steps", "early_stopping", *CHANGES_THE_BATCH)
Results = tuple[TrialResult, ...]
SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)
CONFIDENCES = (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)


def plan(
    spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], done: Done, *, allowance: Allowance
) -> tuple[Trial, ...]:
    """One fix a round: first every fix over three pairs of seeds, then more pairs for those that promise.

    Two causes are also cured together, as soon as each cure was tried alone. What helped is measured again at the end.
    """
    fixes = _in_order(candidates(spec, draft), _pair(spec, so_far, draft, done))
    updates = _length(so_far, done, allowance)
    promising = [fix for fix in fixes if _promises(_sides(spec, so_far, fix, done, LOOKS[0]), so_far)]
    disputed = [fix for fix in promising if _seeds_disagree(_sides(spec, so_far, fix, done, LOOKS[1]), so_far)]
    for pairs, looked_at in zip(LOOKS, (fixes, promising, disputed), strict=True):
        for fix in looked_at:
            if updates is not None and _cannot_be_shortened(fix):
                continue  # a longer run beside a shortened one would win by its length alone
            arms = _arms(spec, so_far, fix, updates=updates, pairs=pairs)
            missing = [arm for arm in arms if not any(_same(arm, trial) for trial, _ in done)]
            if missing and _fits(spec, so_far, missing, allowance):
                limit = allowance.limit(trials=len(missing))
                return tuple(arm.model_copy(update={"max_seconds": limit}) for arm in missing)
    return again.plan(spec, so_far, draft, _cures(spec, so_far, draft, done), done, allowance=allowance)


def read(spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], done: Done) -> Treatments:
    """Every fix that was tried beside its untreated twins, and the keys of those that were left out."""
    fixes = candidates(spec, draft)
    found = [
        treatment.model_copy(update={"again": again.read(spec, so_far, draft, fix, done)})
        for finding, fix in fixes
        if (treatment := _read(spec, so_far, finding, fix, done)) is not None
    ]
    pair = _pair(spec, so_far, draft, done)
    both = _read(spec, so_far, pair.findings[0], pair.fix, done) if pair is not None else None
    if pair is not None and both is not None:
        found.append(both.model_copy(update={"parts": tuple(fix.key for fix in pair.parts)}))
    named = {treatment.fix for treatment in found}
    skipped = [fix.key for finding in draft for fix in finding.fixes if fix.can_be_tried and fix.key not in named]
    return Treatments(treatments=tuple(found), skipped=tuple(dict.fromkeys(skipped)))


def candidates(spec: TrainingSpec, draft: Sequence[Finding]) -> tuple[tuple[Finding, Fix], ...]:
    """Fixes in the order in which trying them tells most: unexplained before explained, grave before slight."""
    ranked = sorted(
        draft,
        key=lambda f: (bool(f.explained_by), SEVERITIES.index(f.severity), CONFIDENCES.index(f.confidence)),
    )
    unique: dict[str, tuple[Finding, Fix]] = {}
    for finding in ranked:
        for fix in finding.fixes:
            if fix.can_be_tried:
                unique.setdefault(fix.key, (finding, fix))
    return tuple(unique.values())[: MOST_FIXES[spec.protocol.preset]]


def _cures(spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], done: Done) -> tuple[Fix, ...]:
    """The first fixes that did better in every pair, one for each finding that nothing explains."""
    found: dict[str, Fix] = {}
    for finding, fix in candidates(spec, draft):
        taken = [sides for pairs in LOOKS if (sides := _sides(spec, so_far, fix, done, pairs)) is not None]
        if not finding.explained_by and finding.id not in found and taken and _helped_each(taken[-1], so_far):
            found[finding.id] = fix
    return tuple(found.values())[:MOST_CURES]


def _helped_each(sides: tuple[Results, Results], so_far: Steps) -> bool:
    """Whether every treated run did better than its twin, be it that the twin has no end at all."""
    higher = known.assumptions(so_far).higher_is_better
    return all(
        _is_rescued(*pair) or _better(*pair, "validation_metric", higher=higher) for pair in zip(*sides, strict=True)
    )


def _is_rescued(before: TrialResult, after: TrialResult) -> bool:
    return is_finite(_ends(after, "validation_metric")) and not is_finite(_ends(before, "validation_metric"))


def _pair(spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], done: Done) -> Pair | None:
    """The two causes to cure together, as far as what was tried alone tells them."""
    higher = known.assumptions(so_far).higher_is_better

    def beats(one: Fix, other: Fix) -> bool:
        better, worse = (_sides(spec, so_far, fix, done, PAIRS) for fix in (one, other))
        if better is None or worse is None:
            return False
        pairs = zip(worse[1], better[1], strict=True)
        return 2 * sum(_better(*pair, "validation_metric", higher=higher) for pair in pairs) > PAIRS

    ranked = candidates(spec, draft)
    alone = {fix.key: _alone(spec, so_far, fix, done) for _, fix in ranked}
    return combining.pair(ranked, lambda fix: alone[fix.key], beats=beats)


def _alone(spec: TrainingSpec, so_far: Steps, fix: Fix, done: Done) -> Alone:
    shortened = bool(done) and done[0][0].updates is not None
    if shortened and _cannot_be_shortened(fix):
        return "cannot"
    sides = _sides(spec, so_far, fix, done, PAIRS)
    if sides is None:
        return "untried"
    if any(result.outcome is Outcome.USER_ERROR for result in sides[1]):
        return "cannot"
    return "promises" if _promises(sides, so_far) else "nothing"


def _in_order(ranked: Sequence[tuple[Finding, Fix]], pair: Pair | None) -> list[Fix]:
    """The fixes as they are ranked; the pair right behind the later of its parts."""
    fixes = [fix for _, fix in ranked]
    if pair is not None:
        fixes.insert(1 + max(fixes.index(part) for part in pair.parts), pair.fix)
    return fixes


def _fits(spec: TrainingSpec, so_far: Steps, arms: Sequence[Trial], allowance: Allowance) -> bool:
    """Whether all of these runs fit into what is left; a cheaper fix may still fit where a dear one does not."""
    longest = max(_updates_of(spec, so_far, arm) for arm in arms)
    return allowance.trials(updates=longest, evaluations=arms[0].evaluations, at_most=len(arms)) >= len(arms)


def _promises(sides: tuple[Results, Results] | None, so_far: Steps) -> bool:
    """Whether more seeds could tell: the treated run did better in most pairs, by metric or by loss."""
    if sides is None:
        return False
    by_loss = sum(_better(a, b, "validation_loss", higher=False) for a, b in zip(*sides, strict=True))
    return 2 * max(_better_by_metric(sides, so_far), by_loss) > len(sides[0])


def _seeds_disagree(sides: tuple[Results, Results] | None, so_far: Steps) -> bool:
    """Whether the metric was better in most pairs and not in all: a fault that hits some seeds only looks like this."""
    if sides is None:
        return False
    better = _better_by_metric(sides, so_far)
    return len(sides[0]) / 2 < better < len(sides[0])


def _better_by_metric(sides: tuple[Results, Results], so_far: Steps) -> int:
    higher = known.assumptions(so_far).higher_is_better
    return sum(_better(a, b, "validation_metric", higher=higher) for a, b in zip(*sides, strict=True))


def _better(
    before: TrialResult, after: TrialResult, field: Literal["validation_metric", "validation_loss"], *, higher: bool
) -> bool:
    left, right = _ends(before, field), _ends(after, field)
    if left is None or right is None or left == right:
        return False
    return (right > left) is higher


def _sides(spec: TrainingSpec, so_far: Steps, fix: Fix, done: Done, pairs: int) -> tuple[Results, Results] | None:
    """The untreated and the treated results over that many seeds; None when one of them is not there."""
    updates = done[0][0].updates if done else None
    results = {trial.model_copy(update={"max_seconds": None}).model_dump_json(): result for trial, result in done}
    arms = _arms(spec, so_far, fix, updates=updates, pairs=pairs)
    found = tuple(results[key] for arm in arms if (key := arm.model_dump_json()) in results)
    if len(found) != len(arms):
        return None
    return yardstick.alike(fix, (found[:pairs], found[pairs:]), metric=known.assumptions(so_far).metric)


def _arms(spec: TrainingSpec, so_far: Steps, fix: Fix, *, updates: int | None, pairs: int) -> tuple[Trial, ...]:
    theirs = spec.loop is not None and Transform.OUR_LOOP in fix.transforms
    seeds = range(spec.seed, spec.seed + pairs)
    before = tuple(user_trial(spec, so_far, seed=seed, updates=updates, user_loop=theirs) for seed in seeds)
    return before + tuple(_treated(spec, so_far, fix, seed=seed, updates=updates) for seed in seeds)


def _treated(spec: TrainingSpec, so_far: Steps, fix: Fix, *, seed: int, updates: int | None) -> Trial:
    plain = user_trial(spec, so_far, seed=seed, updates=updates)
    transforms = tuple(sorted(t for t in fix.transforms if t is not Transform.OUR_LOOP))
    # A fix of the run's length is given that length; every other one the same number of updates as the untreated run.
    length = plain.updates if not _changes_the_length(fix) else _as_many_rows(spec, fix, updates)
    return plain.model_copy(update={"changes": dict(fix.patch), "transforms": transforms, "updates": length})


def _changes_the_length(fix: Fix) -> bool:
    return any(key.startswith(CHANGES_THE_LENGTH) for key in fix.patch)


def _cannot_be_shortened(fix: Fix) -> bool:
    """Whether its length is the very point; another batch can be compared over as many rows."""
    return any(key.startswith(CHANGES_THE_LENGTH) and key not in CHANGES_THE_BATCH for key in fix.patch)


def _as_many_rows(spec: TrainingSpec, fix: Fix, updates: int | None) -> int | None:
    """Updates of the other batch that see the rows which a shortened run sees; None: the whole run."""
    if updates is None:
        return None
    before = spec.data.batch_size * spec.accumulate_batches
    batch = fix.patch.get("data.batch_size", spec.data.batch_size)
    batches = fix.patch.get("accumulate_batches", spec.accumulate_batches)
    assert isinstance(batch, int)
    assert isinstance(batches, int)
    return max(1, round(updates * before / (batch * batches)))


def _length(so_far: Steps, done: Done, allowance: Allowance) -> int | None:
    """As long as the runs that are there; else the whole run (None), or what six arms can do in the time left."""
    if done:
        return done[0][0].updates
    total = known.assumptions(so_far).total_updates
    affordable = allowance.updates(trials=2 * PAIRS, evaluations=2, at_most=total, at_least=FEWEST_UPDATES)
    return None if affordable >= total else affordable


def _updates_of(spec: TrainingSpec, so_far: Steps, trial: Trial) -> int:
    assumed = known.assumptions(so_far)
    if trial.updates is not None:
        return trial.updates
    epochs, batch = trial.changes.get("epochs"), trial.changes.get("data.batch_size")
    factor = epochs / known.epochs(spec) if isinstance(epochs, int | float) else 1.0
    if isinstance(batch, int | float) and batch > 0:
        factor *= spec.data.batch_size / batch
    return max(1, round(assumed.total_updates * factor))


def _same(left: Trial, right: Trial) -> bool:
    return left == right.model_copy(update={"max_seconds": None})


def _read(spec: TrainingSpec, so_far: Steps, finding: Finding, fix: Fix, done: Done) -> Treatment | None:
    taken = [found for pairs in LOOKS if (found := _sides(spec, so_far, fix, done, pairs)) is not None]
    if not taken:
        return None
    looks, (before, after) = len(taken), taken[-1]
    if done[0][0].updates is not None and _changes_the_length(fix) and not _promises((before, after), so_far):
        return None  # over as many rows the larger batch makes fewer updates: that it is no better yet says nothing
    assumed = known.assumptions(so_far)
    comparable = not TRANSFORMS_OF_THE_LOSS & set(fix.transforms) and not any(
        key.startswith(CHANGES_THE_LOSS) and key != "data.batch_size" for key in fix.patch
    )
    return Treatment(
        rule=finding.rule,
        fix=fix.key,
        title=fix.title,
        patch=fix.patch,
        transforms=fix.transforms,
        metric=yardstick.metric_of(fix, (before, after), metric=assumed.metric),
        higher_is_better=assumed.higher_is_better,
        standard_error=yardstick.standard_error_of(
            fix, (before, after), metric=assumed.metric, known=standard_error(so_far)
        ),
        updates=max(result.updates for result in (*before, *after)),
        looks=looks,
        seeds=tuple(range(spec.seed, spec.seed + len(before))),
        before=tuple(_ends(r, "validation_metric") for r in before),
        after=tuple(_ends(r, "validation_metric") for r in after),
        before_loss=tuple(_ends(r, "validation_loss") for r in before),
        after_loss=tuple(_ends(r, "validation_loss") for r in after),
        before_outcomes=tuple(_outcome(r) for r in before),
        after_outcomes=tuple(_outcome(r) for r in after),
        loss_comparable=comparable,
        start_loss=median(starts) if (starts := [r.losses[0] for r in before if r.losses]) else None,
        error=next((r.error for r in after if r.outcome is Outcome.USER_ERROR), None),
    )


def _outcome(result: TrialResult) -> Outcome:
    """A run that its time limit cut short is not comparable with one that went to its end."""
    return Outcome.TIMED_OUT if result.stopped_by == "time" else result.outcome


def standard_error(so_far: Steps) -> float | None:
    """Of the validation metric, from its number of rows; None when step 6 did not say."""
    found = known.value(so_far.curves)
    return found.standard_error if found is not None else None


def _ends(result: TrialResult, field: Literal["validation_metric", "validation_loss"]) -> float | None:
    if not result.evaluations:
        return None
    end = result.evaluations[-1]
    return end.validation_metric if field == "validation_metric" else end.validation_loss
