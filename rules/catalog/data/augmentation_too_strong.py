"""Does augmentation cost more than it brings?"""

from collections.abc import Iterator
from math import isfinite
from statistics import fmean, median

from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import confirmation, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Augmentation is too strong",
    why="Pictures distorted beyond recognition teach the wrong thing, and clean ones become the exception.",
    since="0.1",
)
HARDER = 1.5  # loss on augmented training batches / loss on clean validation rows


def check(spec: TrainingSpec, curves: Curves, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if spec.data.plain_args is None:
        raise NotApplicable("the spec names no `data.plain_args`, the arguments that turn augmentation off")
    fix = Fix(title="Train without augmentation", patch={"data.args": {**spec.data.args, **spec.data.plain_args}})
    ratios = [ratio for ratio in map(_ratio, user_runs.ours(curves)) if ratio is not None]
    if not ratios:
        raise Unjudged("no run ended with a loss on both splits")
    ratio = median(ratios)
    observed = f"the loss on augmented rows ends at {ratio:.2f} times that on clean validation rows"
    expected = f"at most {HARDER:g} times, or no gain without augmentation"
    if ratio <= HARDER:
        yield Passed(observed=observed, expected=expected)
        return
    tried = confirmation.find(treatments, fix)
    verified = confirmation.state(treatments, fix) is FixState.VERIFIED
    gain = _loss_ratio(tried.before_loss, tried.after_loss) if tried is not None else None
    confirmed = verified and gain is not None and gain > HARDER
    yield Finding(
        message=f"At the end {observed}."
        + (f" Without augmentation the validation loss is {gain:.1f} times lower." if confirmed and gain else ""),
        severity=Severity.WARNING if confirmed else Severity.INFO,
        confidence=Confidence.HIGH if confirmed else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs", "/spec/data/plain_args"),
        fixes=(fix, Fix(title="Augment less", advice="halve the ranges, one transform at a time")),
        key="data.args",
    )


def _ratio(run: CurveRun) -> float | None:
    losses = [loss for loss in run.smoothed if isfinite(loss)]
    clean = run.validation_loss[-1] if run.validation_loss else None
    return losses[-1] / clean if losses and clean is not None and isfinite(clean) and clean > 0 else None


def _loss_ratio(before: tuple[float | None, ...], after: tuple[float | None, ...]) -> float | None:
    pairs = [(b, a) for b, a in zip(before, after, strict=True) if b is not None and a is not None and a > 0]
    return fmean(b for b, _ in pairs) / fmean(a for _, a in pairs) if pairs else None
