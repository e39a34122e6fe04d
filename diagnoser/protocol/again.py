"""Step 7, its end: is the step whose finding a fix claims to cure well again under that fix?

Steps 1 and 2 are measured again under a fix that did better in every pair, with the trials and the readers of those
steps. The scan is not: it costs more than the whole comparison, and where the lr is the fix it is known already.
What the step's rules say to the new figures is judged, not here.
"""

from collections.abc import Sequence

from diagnoser.evidence.steps import InitialLoss, Overfit, Steps, UnderFix
from diagnoser.findings import Finding, Fix
from diagnoser.protocol import initial_loss, overfit
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.so_far import Done
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform, Trial

SEEDS = 3  # CATALOGUE, second law: in at least 2 of 3
OTHER_LRS = (1 / 10, 10.0)  # with the fix's own three, the fewest that tell a wrong lr from a broken pipeline
CHANGES_THE_START = ("model",)
CHANGES_SMALL_SETS = ("model", "loss", "optimizer", "gradient_clip_norm", "precision")
REGULARISES = ("optimizer.weight_decay", "loss.args.label_smoothing")  # steps 1 and 2 leave it out with and without
NOT_SEEN = {
    Transform.OUR_LOOP, Transform.DROP_LAST_BATCH, Transform.FLIP_PICTURES, Transform.SHIFT_PICTURES,
    Transform.ROTATE_PICTURES, Transform.VALIDATION_AS_TRAINING, Transform.VALIDATION_LABELS_AS_TRAINING,
    Transform.HALVE_DROPOUT, Transform.NO_DROPOUT, Transform.INSERT_DROPOUT, Transform.INVERT_DROPOUT,
    Transform.MOVE_DROPOUT,
}  # fmt: skip
"""What changes neither the untrained model nor the small set's run without regularisation."""
CHANGES_THE_THEORY = {Transform.STANDARDISE_TARGETS}  # the loss of a guess is told in the units of the given targets
SMALL_SET, START = "/steps/overfit", "/steps/initial_loss"


def plan(
    spec: TrainingSpec,
    so_far: Steps,
    draft: Sequence[Finding],
    cures: Sequence[Fix],
    done: Done,
    *,
    allowance: Allowance,
) -> tuple[Trial, ...]:
    """Under one cure a round: step 1 and the small set; then other lrs, where the small set was not memorised."""
    for fix in cures:
        start, small = _start(spec, so_far, draft, fix), _small_set(spec, so_far, draft, fix)
        wanted = [trial for trial in (*start, *small) if not _found((trial,), done)]
        if not wanted and small and not any(_is_settled(result.stopped_by) for _, result in _found(small, done)):
            wanted = [trial for trial in _ladder(spec, so_far, fix) if not _found((trial,), done)]
        if wanted:
            updates = allowance.updates(
                trials=len(wanted), evaluations=0, at_most=overfit.MOST_UPDATES, at_least=overfit.FEWEST_UPDATES
            )
            limit = {"max_seconds": allowance.limit(trials=len(wanted))}
            lengths = ({} if trial.updates == 0 else {"updates": updates} for trial in wanted)
            return tuple(t.model_copy(update=limit | length) for t, length in zip(wanted, lengths, strict=True))
    return ()


def read(spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], fix: Fix, done: Done) -> UnderFix | None:
    """The records of both steps under this fix; None where neither was measured."""
    start = _found(_start(spec, so_far, draft, fix), done)
    small = _found((*_small_set(spec, so_far, draft, fix), *_ladder(spec, so_far, fix)), done)
    if not start and not small:
        return None
    return UnderFix(
        initial_loss=_read_start(spec, so_far, start) if start else None,
        overfit=_read_small_set(spec, so_far, fix, small) if small else None,
    )


def _start(spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], fix: Fix) -> tuple[Trial, ...]:
    """As many untrained models as step 1 had, none where nothing rests on it or the theory holds no longer."""
    if not _rests_on(START, draft) or not isinstance(known.value(so_far.initial_loss), InitialLoss):
        return ()
    if not (_seen(fix.transforms) or _changes(fix, CHANGES_THE_START)) or CHANGES_THE_THEORY & set(fix.transforms):
        return ()
    if _changes(fix, ("loss", "task", "data")):
        return ()
    plain = Trial(seed=spec.seed, updates=0, regularised=False, evaluations=0)
    seeds = range(spec.seed, spec.seed + initial_loss.INITIALISATIONS)
    return tuple(_under(plain.model_copy(update={"seed": seed}), fix) for seed in seeds)


def _small_set(spec: TrainingSpec, so_far: Steps, draft: Sequence[Finding], fix: Fix) -> tuple[Trial, ...]:
    if not _rests_on(SMALL_SET, draft) or not isinstance(known.value(so_far.overfit), Overfit):
        return ()
    if not _seen(fix.transforms) and not _changes(fix, CHANGES_SMALL_SETS):
        return ()
    seeds = range(spec.seed, spec.seed + min(SEEDS, spec.protocol.seeds))
    return tuple(_attempt(fix, seed, lr=_lr(so_far, fix)) for seed in seeds)


def _ladder(spec: TrainingSpec, so_far: Steps, fix: Fix) -> tuple[Trial, ...]:
    return tuple(_attempt(fix, spec.seed, lr=float(f"{_lr(so_far, fix) * factor:.3g}")) for factor in OTHER_LRS)


def _attempt(fix: Fix, seed: int, *, lr: float) -> Trial:
    plain = Trial(
        seed=seed,
        rows=overfit.SMALL_SET,
        regularised=False,
        evaluations=0,
        stop_when_memorised=True,
        stop_when_stalled=True,
    )
    return _under(plain, fix, {"optimizer.lr": lr})


def _under(trial: Trial, fix: Fix, changes: dict[str, JsonValue] | None = None) -> Trial:
    return trial.model_copy(
        update={"changes": {**fix.patch, **(changes or {})}, "transforms": tuple(sorted(fix.transforms))}
    )


def _lr(so_far: Steps, fix: Fix) -> float:
    """The lr of the fix, else the user's."""
    lr = fix.patch.get("optimizer.lr")
    return float(lr) if isinstance(lr, int | float) else known.user_lr(so_far)


def _rests_on(step: str, draft: Sequence[Finding]) -> bool:
    return any(pointer.startswith(step) for finding in draft for pointer in finding.evidence)


def _seen(transforms: Sequence[Transform]) -> bool:
    return bool(set(transforms) - NOT_SEEN)


def _changes(fix: Fix, sections: tuple[str, ...]) -> bool:
    return any(key not in REGULARISES and key.split(".")[0] in sections for key in fix.patch)


def _found(trials: Sequence[Trial], done: Done) -> Done:
    """Those of the trials that were run, whatever length and time they were given."""
    wanted = {_name(trial) for trial in trials}
    return tuple((trial, result) for trial, result in done if _name(trial) in wanted)


def _name(trial: Trial) -> str:
    length = trial.updates if trial.updates == 0 else None
    return trial.model_copy(update={"max_seconds": None, "updates": length}).model_dump_json()


def _is_settled(stopped_by: str) -> bool:
    """Whether another lr would tell nothing: it was memorised, or the time was too short to tell."""
    return stopped_by in {"memorised", "length", "time"}


def _read_start(spec: TrainingSpec, so_far: Steps, done: Done) -> InitialLoss:
    """As step 1 reads its own; the bare trial stands for the treated one."""
    bare = tuple((trial.model_copy(update={"changes": {}, "transforms": ()}), result) for trial, result in done)
    return initial_loss.read(spec, so_far, bare)


def _read_small_set(spec: TrainingSpec, so_far: Steps, fix: Fix, done: Done) -> Overfit:
    bare = tuple(
        (trial.model_copy(update={"changes": {"optimizer.lr": trial.changes["optimizer.lr"]}, "transforms": ()}), one)
        for trial, one in done
    )
    found = overfit.read(spec, so_far, bare)
    attempts = tuple(attempt.model_copy(update={"losses": ()}) for attempt in found.attempts)
    return found.model_copy(update={"user_lr": _lr(so_far, fix), "attempts": attempts})
