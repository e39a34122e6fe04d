"""Does the moving average of the weights forget its start before the run ends?"""

import math
from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Ema, TrainingSpec
from rules import claims
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The averaged weights still hold the random start",
    why="An average longer than the run evaluates a mixture of the trained weights and the random ones.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema",),
)
LEFT = 0.01  # share of the initial weights in the average at the end (CATALOGUE)
MUCH_LEFT = 0.10  # a tenth of the weights is random: no one can miss it
SHORT = 10  # updates: an average over fewer is no average


def check(spec: TrainingSpec, assumptions: Assumptions, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    ema = spec.ema
    if ema is None:
        raise NotApplicable("the weights are not averaged")
    updates = assumptions.total_updates
    left = ema.decay ** (updates / ema.update_every)
    window = ema.update_every / (1 - ema.decay)
    observed = f"{left:.1%} of the initial weights are left after {updates:,} updates, window {window:,.0f} updates"
    expected = f"at most {LEFT:.0%} left, a window of at least {SHORT} updates"
    if left <= LEFT and window >= SHORT:
        yield Passed(observed=observed, expected=expected)
        return
    if left <= LEFT:
        yield Finding(
            title=f"The averaged weights cover {window:.0f} updates only",
            message=f"A decay of {ema.decay:g} every {ema.update_every} updates averages over {window:.0f} updates: "
            "the average hardly differs from the weights themselves.",
            severity=Severity.INFO,
            confidence=Confidence.HIGH,  # arithmetic
            observed=observed,
            expected=expected,
            evidence=("/spec/ema", "/steps/preflight/assumptions/value/total_updates"),
            fixes=(Fix(title="Raise the decay, or drop the average", advice="0.99 averages over 100 updates"),),
            key="ema.decay",
        )
        return
    decay = _fitting(ema, updates)
    fix = Fix(title=f"Lower the decay to {decay:g}", patch={"ema.decay": decay})
    claim = claims.claim(treatments, fix)
    yield Finding(
        title=f"The averaged weights are {left:.0%} random start",
        message=f"The average's window is {window:,.0f} updates and the run has {updates:,}: {left:.1%} of what is "
        f"evaluated is still the random start.{claim.words}",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH if left > MUCH_LEFT or claim.verified else Confidence.MEDIUM,  # arithmetic
        observed=observed,
        expected=expected,
        evidence=("/spec/ema", "/steps/preflight/assumptions/value/total_updates"),
        fixes=(fix,),
        key="ema.decay",
    )


def _fitting(ema: Ema, updates: int) -> float:
    """The largest decay that leaves one percent; its distance from 1 is rounded up to one digit."""
    distance = 1 - float(LEFT ** (ema.update_every / max(1, updates)))
    digit = 10.0 ** math.floor(math.log10(distance))
    return max(0.01, float(f"{1 - math.ceil(distance / digit) * digit:.6g}"))
