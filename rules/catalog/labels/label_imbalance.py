"""Does the model give up rare classes?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Rare classes are given up",
    why="Where one class is ten times as common, always answering it is a comfortable minimum of the loss.",
    since="0.1",
    references=("Lin et al. 2017, Focal loss for dense object detection",),
)
UNEVEN = 10.0  # largest / smallest class
NEAR_MAJORITY = 0.01  # accuracy within one point of the majority's share
LOST = 0.1  # recall of a class
FIXES = (
    Fix(title="Let each class weigh rows / (classes x its rows) in the loss", transforms=(Transform.WEIGHT_CLASSES,)),
    Fix(title="Let rare classes weigh more: focal loss", patch={"loss": "focal_loss"}),
)
ENOUGH = 20  # validation rows of that class


def check(data: DataProfile, curves: Curves | None, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    counts = [count for count in data.targets.counts if count > 0]
    if data.targets.kind not in {"class", "binary"}:
        raise NotApplicable("the targets are no class labels")
    if len(counts) < 2:
        raise NotApplicable("there are fewer than two classes")
    ratio = max(counts) / min(counts)
    observed = f"the largest class is {ratio:.1f} times the smallest ({max(counts):,} rows, {min(counts):,} rows)"
    expected = f"at most {UNEVEN:g} times, or a model that finds the rare classes all the same"
    if ratio <= UNEVEN:
        yield Passed(observed=observed, expected=expected)
        return
    if curves is None:
        raise Unjudged(f"{observed}; whether it hurts needs step 6")
    metric = curves.metric
    stories = [_hurt(run, data, metric) for run in user_runs.ours(curves)]
    hurt = [what for what in stories if what is not None]
    if not user_runs.enough(what is not None for what in stories):
        yield Passed(observed=f"{observed}, and the rare classes are found", expected=expected)
        return
    verified = confirmation.state(treatments, *FIXES) is FixState.VERIFIED
    at_majority = any("majority" in what for what in hurt)
    yield Finding(
        title=f"{hurt[0][0].upper()}{hurt[0][1:]}, at {ratio:.0f} : 1 between classes",
        message=f"The classes stand at {ratio:.0f} : 1, and after training {hurt[0]}.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH if verified else Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/targets/counts", "/steps/curves/value/runs"),
        fixes=(
            *FIXES,
            Fix(
                title="Weigh or draw classes evenly",
                advice="`weight` in the loss, or a WeightedRandomSampler; judge by `balanced_accuracy`",
            ),
        ),
        explains=("nothing-learned", "loss-and-metric-disagree") if at_majority else (),
        key="loss",
    )


def _hurt(run: CurveRun, data: DataProfile, metric: str) -> str | None:
    counts = data.targets.validation_counts
    last = run.validation_metric[-1] if run.validation_metric else None
    if metric == "accuracy" and last is not None and counts and sum(counts):
        majority = max(counts) / sum(counts)
        if abs(last - majority) <= NEAR_MAJORITY and 0 in run.recalls:
            return f"accuracy is {last:.1%}, the share of the majority class"
    for label, (recall, rows) in enumerate(zip(run.recalls, counts, strict=False)):
        if rows >= ENOUGH and recall < LOST:
            return f"class {label} is recognised in {recall:.0%} of its {rows} validation rows"
    return None
