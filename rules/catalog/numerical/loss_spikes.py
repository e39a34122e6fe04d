"""Does the loss jump up and come back, again and again?"""

from collections.abc import Iterator
from statistics import quantiles

from diagnoser.evidence.preflight import Assumptions
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.records import is_finite
from diagnoser.spec.fields import Task, TrainingSpec
from rules import claims, rates, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The loss spikes",
    why="Each spike undoes part of what was learned, and the next one may be the one that does not come back.",
    since="0.1",
    references=("https://arxiv.org/abs/2304.13013",),
)
SPIKES = 3  # after the first tenth of the run, each above the local median by half the initial loss (CATALOGUE)
NOISE = 0.02  # of the validation loss: an objective that differs so much on the same weights spikes by nature
FEWEST = 20  # norms, for a percentile


def check(
    spec: TrainingSpec, assumptions: Assumptions, curves: Curves, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    runs = user_runs.ours(curves)
    if assumptions.task is Task.CUSTOM:
        raise NotApplicable("the loss of a `step` of your own may be noisy by nature")
    noise = user_runs.middle(run.evaluation_noise for run in runs)
    level = user_runs.middle(user_runs.last(run.validation_loss) for run in runs)
    if noise is not None and level is not None and noise > NOISE * abs(level):
        raise NotApplicable("the objective differs on the same weights, so single batches say nothing")
    counts = [run.reading.spikes for run in runs if run.reading is not None]
    most = max(counts, default=0)
    observed, expected = f"at most {most} spikes in a run", f"fewer than {SPIKES}"
    if not user_runs.enough(count >= SPIKES for count in counts):
        yield Passed(observed=observed, expected=expected)
        return
    lower = rates.rounded(spec.optimizer.lr / 3)
    fixes = [Fix(title=f"Lower the learning rate to {lower:g}", patch={"optimizer.lr": lower})]
    norms = [norm for run in runs for norm in run.gradient_norms if is_finite(norm)]
    if spec.gradient_clip_norm is None and len(norms) >= FEWEST:
        limit = float(f"{quantiles(norms, n=10)[-1]:.2g}")
        if limit > 0:
            fixes.insert(0, Fix(title=f"Clip the gradient at {limit:g}", patch={"gradient_clip_norm": limit}))
    claim = claims.claim(treatments, *fixes)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; neither clipping nor a lower lr is better", expected=expected)
        return
    spikes = sorted(counts)[len(counts) // 2]
    yield Finding(
        title=f"The loss spikes {spikes} times",
        message=f"After the first tenth of the run the batch loss jumped {spikes} times by more than half its initial "
        f"value, and came back.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=f"{spikes} spikes in the middle run",
        expected=expected,
        evidence=("/steps/curves/value/runs/0/reading/spikes", "/steps/curves/value/runs/0/batch_losses"),
        fixes=(*fixes, Fix(title="Look at the rows", advice="the batches at which it jumps: outliers, wrong labels")),
        key="optimizer",
    )
