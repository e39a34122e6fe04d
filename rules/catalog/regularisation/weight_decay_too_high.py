"""Does weight decay hold the weights down more than the data pulls them up?"""

import math
from collections.abc import Iterator
from statistics import fmean, stdev
from typing import NamedTuple

from diagnoser.evidence.steps import CoarseSearch, Curves, FineSearch, Overfit, Search, SearchTrial, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome
from rules import claims, rates, regularised, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Weight decay is too high",
    why="The penalty then decides where the weights end, and the data hardly matter.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-2/#reg", "https://arxiv.org/abs/1711.05101"),
)
LIGHTER = 10.0  # CATALOGUE: a tenth of the weight decay, or none
BETTER = 2.0  # standard errors of the validation metric
CHANCE = 0.01  # that a run of the user's decay falls that far below the lighter ones by the luck of the seed
MATTERS = 0.02  # two points of a share metric
MATTERS_RELATIVE = 0.05  # of any other metric
SHRUNK = 0.5  # of their norm at the start: weights that only shrink follow the penalty
USUAL = 1e-3  # the highest weight decay that is tried where no search says better
EFFECTS = ("small-set-not-memorised", "underfitting", "loss-plateaus", "nothing-learned")
SHARES = frozenset({"accuracy", "balanced_accuracy", "f1", "r2"})


class _Lighter(NamedTuple):
    """The runs of a search with less weight decay at the user's lr, beside the user's own of equal length."""

    decay: float  # the highest of theirs: the smallest change that cures
    metric: float  # their mean
    own: float
    better: bool
    beyond_chance: bool  # the user's run lies outside what one more run of theirs would reach
    step: str


def check(
    *,
    spec: TrainingSpec,
    overfit: Overfit | None,
    coarse: CoarseSearch | None,
    fine: FineSearch | None,
    curves: Curves | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    decay = spec.optimizer.weight_decay
    if decay == 0:
        raise NotApplicable("there is no weight decay")
    if overfit is None and coarse is None and fine is None:
        raise Unjudged("neither the small set nor a search was measured")
    error = curves.standard_error if curves is not None else None
    lighter = _lighter(coarse, decay, "coarse_search", error) + _lighter(fine, decay, "fine_search", error)
    better = max((one for one in lighter if one.better), key=lambda one: abs(one.metric - one.own), default=None)
    blocked = regularised.blocks(overfit) if overfit is not None else None
    shrunk = curves is not None and _shrinks(curves)
    observed, expected = f"weight decay {decay:g}", "one that costs nothing against a tenth of it"
    if better is None and blocked is None and not shrunk:
        yield Passed(observed=observed, expected=expected)
        return
    lower = better.decay if better is not None else min(decay / LIGHTER, USUAL)
    if lower == 0 and decay / LIGHTER > USUAL:
        lower = USUAL  # next to nothing beside the user's, and still a regularisation
    fix = Fix(title=f"Lower the weight decay from {decay:g} to {lower:g}", patch={"optimizer.weight_decay": lower})
    claim = claims.claim(treatments, fix)
    if claim.state is FixState.REFUTED and blocked is None:
        yield Passed(observed=f"{observed}; {lower:g} was tried and is not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    # Whole runs over three seeds tell more than one run of the search: what they left open is open.
    searched = any(one.better and one.beyond_chance for one in lighter) and claim.state is FixState.UNTESTED
    if (blocked is not None or searched) and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # a control, in fewer than three seeds
    sentences = [
        f"With {better.decay:g} or less the search reaches {better.metric:.3g} on validation, with {decay:g} only "
        f"{better.own:.3g}, at the same learning rate."
        if better is not None
        else "",
        blocked or "",
        "In training the weights shrink to less than half their norm." if shrunk else "",
    ]
    yield Finding(
        title=f"The weight decay of {decay:g} is too high" if severity is Severity.WARNING else None,
        message=f"The weight decay is {decay:g}. {' '.join(s for s in sentences if s)}{claim.words}",
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/spec/optimizer/weight_decay",
            *((f"/steps/{better.step}/value/trials",) if better is not None else ()),
            *(("/steps/overfit/value/attempts",) if blocked is not None else ()),
        ),
        fixes=(fix,),
        explains=EFFECTS if severity is Severity.WARNING else (),
        key="optimizer.weight_decay",
    )


def _lighter(search: Search | None, decay: float, step: str, error: float | None) -> list[_Lighter]:
    """Runs at the user's lr with at most a tenth of the weight decay, for each length that the user's own was given.

    So light a decay hardly matters, so these runs are repetitions of one another: their spread is that of chance.
    """
    if search is None or search.user is None:
        return []
    values = search.trials[search.user].values
    own = {
        trial.rung: score for trial in search.trials if trial.values == values and (score := _score(trial)) is not None
    }
    lr = _lr(search.trials[search.user])
    arms: dict[int, list[tuple[float, float]]] = {}
    for trial in search.trials:
        value, other = trial.values.get("optimizer.weight_decay"), _lr(trial)
        if lr is None or other is None or not rates.same(lr, other) or trial.rung not in own:
            continue
        score = _score(trial)
        if score is None or not isinstance(value, int | float) or value * LIGHTER > decay * rates.NEAR:
            continue
        arms.setdefault(trial.rung, []).append((float(value), score))
    found = []
    for rung, lighter in arms.items():
        scores, mine = [score for _, score in lighter], own[rung]
        gain = (fmean(scores) - mine) * (1 if search.higher_is_better else -1)
        matters = MATTERS if search.metric in SHARES else MATTERS_RELATIVE * abs(mine)
        found.append(
            _Lighter(
                decay=max(value for value, _ in lighter),
                metric=fmean(scores),
                own=mine,
                better=gain > max(matters, BETTER * (error or 0.0)),
                beyond_chance=gain > _reach(scores),
                step=step,
            )
        )
    return found


def _reach(scores: list[float]) -> float:
    """How far below their mean one more run may fall by chance: Student's interval of a prediction."""
    if len(scores) < 2:
        return math.inf  # one run has no spread
    from scipy.special import stdtrit

    count = len(scores)
    return float(stdtrit(count - 1, 1 - CHANCE)) * stdev(scores) * math.sqrt(1 + 1 / count)


def _score(trial: SearchTrial) -> float | None:
    """The validation metric of a run that came to its end."""
    metric = trial.validation_metric
    return metric if trial.outcome is Outcome.COMPLETED and metric is not None and is_finite(metric) else None


def _lr(trial: SearchTrial) -> float | None:
    value = trial.values.get("optimizer.lr")
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _shrinks(curves: Curves) -> bool:
    runs = [run for run in curves.runs if run.loop == "ours"]
    return user_runs.enough(
        run.weight_norm_start is not None
        and run.weight_norm_end is not None
        and run.weight_norm_end < SHRUNK * run.weight_norm_start
        for run in runs
    )
