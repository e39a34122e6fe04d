"""Do loss and metric tell the same story?"""

from collections.abc import Iterator
from math import isfinite

from diagnoser.evidence.preflight import Baselines, DataProfile
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Loss and metric disagree",
    why="When the loss falls and the metric does not follow, one of the two measures something else than you think.",
    since="0.1",
)
FALLS = 0.2  # of the initial loss
STILL = 2.0  # standard errors: the metric did not move
FEWEST = 5  # evaluations
CEILING = 0.99
FOR_CLASSES = ("accuracy", "balanced_accuracy", "f1")


def check(data: DataProfile, curves: Curves, baselines: Baselines | None) -> Iterator[Finding | Passed]:
    if curves.metric in FOR_CLASSES and data.targets.kind == "real":
        yield Finding(
            title=f"{curves.metric} on real-valued targets",
            message=f"The metric is {curves.metric}, and the targets are {data.targets.distinct:,} different real "
            "numbers: an answer is never exactly equal to one.",
            severity=Severity.WARNING,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed=f"{curves.metric} on real numbers",
            expected="r2 or mae",
            evidence=("/steps/curves/value/metric", "/steps/preflight/data/value/targets/kind"),
            fixes=(Fix(title="Judge by R²", patch={"metric": "r2"}),),
            key="metric",
        )
        return
    error = curves.standard_error
    if error is None or not isfinite(error) or error <= 0:
        raise Unjudged(f"the standard error of {curves.metric} is not known")
    if curves.metric in {"loss", "perplexity"}:
        raise NotApplicable("the metric is the loss")
    chance = baselines.chance if baselines is not None and baselines.metric == curves.metric else None
    told = [story for run in user_runs.ours(curves) if (story := _story(run, error, chance=chance)) is not None]
    if not told:
        raise Unjudged(f"no run has {FEWEST} evaluations")
    odd = [story for story in told if story]
    if not user_runs.enough(bool(story) for story in told):
        yield Passed(observed="the metric follows the loss", expected="both move together")
        return
    yield Finding(
        title=odd[0],
        message=f"On validation, {odd[0][0].lower()}{odd[0][1:]} ({curves.metric}, in {len(odd)} of {len(told)} runs).",
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        observed=odd[0],
        expected="a metric that improves as the loss falls",
        evidence=("/steps/curves/value/runs", "/steps/curves/value/standard_error"),
        fixes=(Fix(title="Check the metric", advice="compute it by hand on ten rows, from outputs and targets"),),
        key="metric",
    )


def _story(run: CurveRun, error: float, *, chance: float | None) -> str | None:
    """What is odd about a run: empty when nothing is, None when there is too little of it."""
    pairs = [
        (loss, metric)
        for loss, metric in zip(run.validation_loss, run.validation_metric, strict=False)
        if loss is not None and metric is not None and isfinite(loss) and isfinite(metric)
    ]
    if len(pairs) < FEWEST or run.initial_loss is None or not isfinite(run.initial_loss) or run.initial_loss <= 0:
        return None
    losses, metrics = [loss for loss, _ in pairs], [metric for _, metric in pairs]
    at_rest = max(metrics) >= CEILING or (chance is not None and abs(metrics[-1] - chance) <= STILL * error)
    fell = losses[0] - losses[-1] > FALLS * run.initial_loss
    spread = max(metrics) - min(metrics)
    if fell and spread < STILL * error and not at_rest:
        return f"The loss falls from {losses[0]:.3g} to {losses[-1]:.3g} and the metric stays at {metrics[-1]:.3g}"
    return ""
