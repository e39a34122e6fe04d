"""Does gradient clipping change nearly every step?"""

from collections.abc import Iterator
from statistics import quantiles

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Fix
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Gradient clipping is always active",
    why="A limit below the usual norm makes every step equally long: the learning rate no longer means what it says.",
    since="0.1",
    references=("https://arxiv.org/abs/1211.5063",),
)
ALWAYS = 0.9  # of the steps after the warm-up (CATALOGUE)
WARM_UP = 0.1  # of the run, in which clipping is meant to work
FEWEST = 20  # norms
SCALE_FREE = ("adam", "adagrad", "rmsprop", "rprop", "adadelta", "adafactor", "lion", "muon")
"""These divide by the size of the gradient: a constant factor from clipping cancels."""


def check(
    spec: TrainingSpec, optimizer: OptimizerProfile, curves: Curves, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    limit = spec.gradient_clip_norm
    if limit is None:
        raise NotApplicable("gradients are not clipped")
    if any(name in optimizer.name.lower() for name in SCALE_FREE):
        raise NotApplicable(f"{optimizer.name} divides by the size of the gradient, so clipping cancels")
    norms = [_norms(run) for run in user_runs.ours(curves)]
    if min(len(each) for each in norms) < FEWEST:
        raise Unjudged("too few gradient norms were recorded")
    shares = [sum(norm > limit for norm in each) / len(each) for each in norms]
    share = user_runs.middle(shares) or 0.0
    observed, expected = f"active in {share:.0%} of the steps", f"at most {ALWAYS:.0%} after the warm-up"
    if not user_runs.enough(each > ALWAYS for each in shares):
        yield Passed(observed=observed, expected=expected)
        return
    usual = float(f"{quantiles(norms[0], n=10)[-1]:.2g}")
    fix = Fix(title=f"Raise the limit to {usual:g}, the norm's 90th percentile", patch={"gradient_clip_norm": usual})
    claim = claims.claim(treatments, fix)
    yield Finding(
        title=f"Gradient clipping at {limit:g} is always active",
        message=f"Clipping at {limit:g} is {observed}: the usual norm is {user_runs.middle(norms[0]) or 0.0:.3g}."
        f"{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/spec/gradient_clip_norm", "/steps/curves/value/runs/0/gradient_norms"),
        fixes=(fix,),
        key="gradient_clip_norm",
    )


def _norms(run: CurveRun) -> tuple[float, ...]:
    """Norms before clipping, the warm-up left out."""
    start = round(WARM_UP * len(run.gradient_norms))
    return tuple(norm for norm in run.gradient_norms[start:] if is_finite(norm))
