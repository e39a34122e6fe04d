"""Do the labels of validation mean something else than those of training?"""

from collections.abc import Iterator
from math import sqrt
from typing import NamedTuple

from diagnoser.evidence.preflight import Baselines, DataProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Validation labels are numbered differently",
    why="Two label maps for one task make a good model look worse than guessing.",
    since="0.1",
)
FEWEST = 10  # validation rows a class
WORKS = 0.8  # held-out training score that shows that the baseline works; also the share that must come back
SIGMAS = 3.0  # standard errors below chance
PARTLY = 10.0  # standard errors gained by renumbering, when only some labels were exchanged
ALMOST_ALL = 0.95  # of the held-out score, in that case
SHARES = ("accuracy", "balanced_accuracy")


class _Known(NamedTuple):
    """A model that knows the training labels, on validation."""

    who: str
    where: str  # the rows on which it knows them
    training: float
    validation: float
    renumbered: float
    permutation: tuple[int, ...]
    pointers: tuple[str, ...]


def check(
    data: DataProfile, baselines: Baselines, curves: Curves | None, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    if baselines.metric not in SHARES or data.targets.kind not in {"class", "binary"}:
        raise NotApplicable("the targets are no class labels")
    held_out, permuted = baselines.held_out_training, baselines.best_permuted_validation
    scores = [score.validation for score in baselines.scores if score.name in {"linear", "knn"}]
    if held_out is None or permuted is None or not scores:
        raise Unjudged("no simple model was tried on validation and on held-out training rows")
    best = max(scores)
    noise = max(baselines.standard_error, _binomial(baselines.chance, data.validation.rows))
    observed = f"a simple model scores {best:.1%} on validation and {held_out:.1%} on held-out training rows"
    expected = "about the same on both"
    below = best < baselines.chance - SIGMAS * noise and permuted >= WORKS * held_out
    gained = permuted - best > PARTLY * noise and held_out - best > PARTLY * noise
    partly = gained and permuted >= ALMOST_ALL * held_out
    known = _Known(
        who="A simple model",
        where="held-out training rows",
        training=held_out,
        validation=best,
        renumbered=permuted,
        permutation=baselines.permutation,
        pointers=(
            "/steps/preflight/baselines/value/scores",
            "/steps/preflight/baselines/value/held_out_training",
            "/steps/preflight/baselines/value/best_permuted_validation",
        ),
    )
    if held_out < WORKS or not (below or partly):
        network = _by_the_network(curves, below=baselines.chance - SIGMAS * noise) if curves is not None else None
        if network is None:
            yield Passed(observed=observed, expected=expected)
            return
        known, below = network, True
    if min(data.targets.validation_counts, default=0) < FEWEST:
        raise Unjudged(f"a class has fewer than {FEWEST} validation rows: too few to tell which label it became")
    changed = [f"{label} → {new}" for label, new in enumerate(known.permutation) if label != new]
    how = _in_words(known.permutation) or ", ".join(changed[:10])
    fix = Fix(
        title="Use one label map for both splits",
        transforms=(Transform.VALIDATION_LABELS_AS_TRAINING,),
        advice=f"build it once, from the training labels; now validation has {how}",
    )
    verified = confirmation.state(treatments, fix) is FixState.VERIFIED
    yield Finding(
        title=f"Validation labels are numbered differently: {how}",
        message=f"{known.who} that scores {known.training:.1%} on {known.where} scores {known.validation:.1%} on "
        f"validation, where a guess has {baselines.chance:.1%}. With validation labels renumbered ({how}) it has "
        f"{known.renumbered:.1%}." + (" So has your own model." if verified else ""),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH if below or verified else Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=known.pointers,
        fixes=(fix,),
        explains=("features-misaligned-with-labels", "nothing-learned", "overfitting", "training-past-best-epoch"),
        key="data",
        subject="validation labels",
    )


def _by_the_network(curves: Curves, *, below: float) -> _Known | None:
    """The user's own model, for data that simple models cannot learn (sets, texts): below chance in most seeds."""
    seen = [_renumbered(run) for run in user_runs.ours(curves)]
    under = [one for one in seen if one is not None and one.validation < below]
    return under[0] if under and user_runs.in_most(one in under for one in seen) else None


def _renumbered(run: CurveRun) -> _Known | None:
    """What its confusion matrix says, and would say under the best assignment of labels to predictions."""
    training = run.train_metric[-1] if run.train_metric else None
    rows = sum(map(sum, run.confusion))
    if training is None or training < WORKS or not rows:
        return None
    from scipy.optimize import linear_sum_assignment

    labels, predictions = linear_sum_assignment(run.confusion, maximize=True)
    right = sum(run.confusion[label][label] for label in range(len(run.confusion)))
    best = sum(run.confusion[label][new] for label, new in zip(labels, predictions, strict=True))
    if best < WORKS * training * rows:
        return None
    return _Known(
        who="The network",
        where="training rows",
        training=training,
        validation=right / rows,
        renumbered=best / rows,
        permutation=tuple(int(new) for new in predictions),
        pointers=("/steps/curves/value/runs/0/confusion", "/steps/preflight/baselines/value/chance"),
    )


def _binomial(share: float, rows: int) -> float:
    return sqrt(share * (1 - share) / max(1, rows))


def _in_words(permutation: tuple[int, ...]) -> str | None:
    """Whether all labels are shifted by one number, as off-by-one errors do."""
    classes = len(permutation)
    shifts = {(new - label) % classes for label, new in enumerate(permutation)} if classes else set()
    if len(shifts) != 1 or classes < 3:
        return None
    shift = shifts.pop()
    return f"shifted by {shift if shift <= classes // 2 else shift - classes}"
