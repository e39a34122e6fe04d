"""Is the model too small for its task?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, Baselines, GradientCheck, ModelProfile
from diagnoser.evidence.steps import Curves, LrScan, Overfit, Treatments
from diagnoser.findings import Confidence, FixState, Severity
from diagnoser.spec.fields import Task, TrainingSpec
from rules import claims, rates, user_runs, widths
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The model is too small for the task",
    why="A network without the capacity for its training rows cannot be tuned to fit them.",
    since="0.1",
    references=("https://www.deeplearningbook.org/contents/guidelines.html",),
)
WIDER = 4.0  # CATALOGUE: the control is a network four times as wide
BELOW = 2.0  # standard errors below the linear baseline, training against training
LR_SETTLED = 3.5  # times: the user's lr lies within half a decade of the scan's proposal, a grid step of it
NO_GAIN = 0.02  # of the metric that more epochs would still bring
GRADIENT_RIGHT = 1e-2  # relative error; above it the gradient is another rule's business
EFFECTS = ("small-set-not-memorised", "underfitting", "loss-plateaus")


def check(
    *,
    spec: TrainingSpec,
    assumptions: Assumptions,
    model: ModelProfile,
    overfit: Overfit | None,
    scan: LrScan | None,
    curves: Curves | None,
    baselines: Baselines | None,
    gradient: GradientCheck | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if model.weight_layers <= 1 or model.affine:
        raise NotApplicable("a linear model has the capacity of a linear model, by choice")
    if overfit is None and curves is None:
        raise Unjudged("neither the small set nor a full run was measured")
    known = assumptions.task is not Task.CUSTOM  # how low the loss of a `step` of one's own can fall is not known
    stuck = known and overfit is not None and _fails_everywhere(overfit) and not _gradient_wrong(gradient)
    below = curves is not None and _below_baseline(curves, baselines, scan)
    short = curves is not None and assumptions.task is not Task.LANGUAGE_MODEL and _leaves_room(curves, scan)
    fix = widths.widened(spec, factor=WIDER)
    expected = "a model that memorises a few rows and beats a linear one on its own training rows"
    if not (stuck or below or (short and fix is not None)):
        yield Passed(observed=f"{model.parameters:,} parameters; no sign of too few", expected=expected)
        return
    fixes = (fix,) if fix is not None else ()
    claim = claims.claim(treatments, *fixes, least=claims.MATTERS)
    if claim.state is FixState.REFUTED and not (stuck and below):
        yield Passed(observed=f"{WIDER:g} times the width was tried and is not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    if stuck and below and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # two controls agree: ladder of lrs, linear model
    reasons = [
        words
        for holds, words in (
            (stuck, "the small set is not learned at any learning rate of the ladder"),
            (below, "on its own training rows it is worse than a linear model"),
            (short and not below, "it leaves the training rows unlearned, and neither lr nor epochs are short"),
        )
        if holds
    ]
    yield Finding(
        title=f"{model.parameters:,} parameters are too few" if claim.verified else None,
        message=f"The model has {model.parameters:,} parameters in {model.weight_layers} weight layers: "
        f"{'; '.join(reasons)}.{claim.words}",
        severity=severity,
        confidence=confidence,
        observed="; ".join(reasons),
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/parameters",
            *(("/steps/overfit/value/attempts",) if stuck else ()),
            *(("/steps/curves/value/runs",) if below or short else ()),
        ),
        fixes=fixes or (widths.advice(),),
        explains=EFFECTS if severity is not Severity.INFO else (),
        key="model.args" if fix is not None else "model",
    )


def _fails_everywhere(overfit: Overfit) -> bool:
    """Whether every attempt on the small set failed, over several lrs, on rows that do not contradict each other."""
    plain = rates.plain_attempts(overfit)
    several = len({attempt.lr for attempt in plain}) >= 3
    return several and overfit.contradictions == 0 and all(rates.failed(attempt) for attempt in plain)


def _gradient_wrong(gradient: GradientCheck | None) -> bool:
    return gradient is not None and max(gradient.relative_errors, default=0.0) > GRADIENT_RIGHT


def _settled(curves: Curves, scan: LrScan | None) -> bool:
    """Whether neither the lr nor the length of the run is what is missing."""
    if scan is None or scan.proposal is None:
        return False
    gain = user_runs.middle(r.reading.extrapolated_gain for r in user_runs.ours(curves) if r.reading is not None)
    near = max(scan.proposal, scan.user_lr) <= LR_SETTLED * min(scan.proposal, scan.user_lr)
    return near and gain is not None and gain < NO_GAIN


def _below_baseline(curves: Curves, baselines: Baselines | None, scan: LrScan | None) -> bool:
    if baselines is None or curves.metric != baselines.metric or not _settled(curves, scan):
        return False
    score = next((score for score in baselines.scores if score.name == "linear"), None)
    if score is None or score.train is None:
        return False
    sign = 1.0 if curves.higher_is_better else -1.0
    ends = [user_runs.last(run.train_metric) for run in user_runs.ours(curves)]
    margin = BELOW * max(baselines.standard_error, curves.standard_error or 0.0)
    # What a linear model has beyond its own validation it knows by heart: a network need not.
    linear = score.validation if sign * (score.train - score.validation) > margin else score.train
    return user_runs.in_most(end is not None and sign * (linear - end) > margin for end in ends)


def _leaves_room(curves: Curves, scan: LrScan | None) -> bool:
    """Whether the training metric stays off its ceiling without a gap to validation, lr and length settled."""
    runs = user_runs.ours(curves)
    gap = user_runs.middle(run.reading.final_gap for run in runs if run.reading is not None)
    known = user_runs.middle(user_runs.last(run.train_metric) for run in runs) is not None
    small_gap = gap is not None and gap < BELOW * (curves.standard_error or 0.0)
    return (
        user_runs.is_share(curves) and known and small_gap and not user_runs.at_ceiling(runs) and _settled(curves, scan)
    )
