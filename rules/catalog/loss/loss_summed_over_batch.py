"""Does the loss grow with the batch?"""

from collections.abc import Iterator
from math import isfinite
from statistics import median

from diagnoser.evidence.preflight import LossProfile
from diagnoser.evidence.steps import InitialLoss, LrScan, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import confirmation
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss is summed over the batch",
    why="Every gradient is then as many times too long as the batch has rows.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html",),
)
DOUBLES = (1.8, 2.2)  # loss(batch twice) / loss(batch); a mean gives 1, a sum 2
NEAR = (0.5, 2.0)  # initial loss / (batch x chance)


def check(
    spec: TrainingSpec,
    loss: LossProfile,
    initial: InitialLoss | None,
    scan: LrScan | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    ratio = loss.doubled_batch_ratio
    if ratio is None:
        raise Unjudged("the loss of a doubled batch could not be measured")
    observed = f"the same batch twice has {ratio:.2f} times the loss"
    expected = "1.00, a mean over the rows"
    if not DOUBLES[0] <= ratio <= DOUBLES[1]:
        yield Passed(observed=observed, expected=expected)
        return
    batch = spec.data.batch_size
    if spec.loss is not None and spec.loss.name is not None:
        fix = Fix(title="Take the mean over the batch", patch={"loss.args.reduction": "mean"})
    else:
        fix = Fix(
            title=f"Divide the learning rate by the batch size, {batch}",
            patch={"optimizer.lr": spec.optimizer.lr / batch},
            advice="or return the mean from your loss",
        )
    verified = confirmation.state(treatments, fix) is FixState.VERIFIED
    diverges = scan is not None and scan.diverges_from is not None and scan.user_lr >= scan.diverges_from
    starts_high = initial is not None and _starts_at_batch_times_chance(initial)
    hurt = ("learning-rate-too-high", "gradients-explode", "gradient-clip-always-active", "loss-diverges")
    yield Finding(
        message=f"{observed[0].upper()}{observed[1:]}: it is a sum over rows."
        + (" It starts at the batch size times chance." if starts_high else "")
        + (" Your learning rate lies where training diverges." if diverges else "")
        + (f" {fix.title}: clearly better." if verified else ""),
        severity=Severity.WARNING if verified or diverges else Severity.INFO,
        confidence=Confidence.HIGH if verified else Confidence.MEDIUM if diverges or starts_high else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/loss/value/doubled_batch_ratio",),
        fixes=(fix,),
        explains=(*(("initial-loss-off-chance",) if starts_high else ()), *(hurt if verified or diverges else ())),
        key="loss",
    )


def _starts_at_batch_times_chance(initial: InitialLoss) -> bool:
    finite = [value for value in initial.observed if isfinite(value)]
    if not finite or not initial.chance:
        return False
    return NEAR[0] <= median(finite) / (initial.chance * initial.batch_size) <= NEAR[1]
