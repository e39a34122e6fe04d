"""Is the loss of an untrained model far from that of a guess?"""

from collections.abc import Iterator
from math import isfinite
from statistics import median

from diagnoser.evidence.preflight import Assumptions, DataProfile, LossProfile, ModelProfile
from diagnoser.evidence.steps import InitialLoss, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation, pretrained
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Initial loss is far from chance",
    why="An untrained model knows nothing, so its loss should be that of a guess.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#sanitycheck",),
)
NOTABLE = (
    1.25  # times chance: one seed of a tiny net is off by up to 28 %, the median of 5 of scaled small nets by less
)
CONFIRMED = 1.5  # a warning if a zeroed last layer cures training: 47 % of healthy nets on raw 0-16 digits start above
FAR = 2.0  # a warning by itself: no healthy program started there
BELOW = 0.5  # of chance (or of the prior's entropy): it knows something already
FEWEST = 3  # initialisations for a median with a known spread
SUMMED = (1.8, 2.2)  # loss(batch twice) / loss(batch)
FIX = Fix(title="Start the last layer at zero", transforms=(Transform.ZERO_LAST_LAYER,))


def check(
    initial: InitialLoss,
    *,
    assumptions: Assumptions | None,
    data: DataProfile | None,
    model: ModelProfile | None,
    loss: LossProfile | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if initial.chance is None:
        raise NotApplicable(initial.chance_because)
    finite = [value for value in initial.observed if isfinite(value)]
    if not finite:
        raise Unjudged("the loss of the untrained model is not finite")
    if initial.chance <= 0:
        raise NotApplicable("a guess loses nothing here")
    ratio = loss.doubled_batch_ratio if loss is not None else None
    summed = ratio is not None and SUMMED[0] <= ratio <= SUMMED[1]
    start = median(finite) / (initial.batch_size if summed else 1)
    observed = f"{start:.3f}" + (" per row" if summed else "")
    middle = _of_the_middle(assumptions, data, model)
    guess = max(initial.chance, middle or 0.0)
    because = "an answer in the middle of the outputs' range" if guess > initial.chance else initial.chance_because
    expected = f"{guess:.3f} ({because})"
    off = start / guess
    least = min(initial.chance, initial.prior_chance) if initial.prior_chance is not None else initial.chance
    if off <= NOTABLE and start >= BELOW * least:
        yield Passed(observed=observed, expected=expected)
        return
    verified = confirmation.state(treatments, FIX) is FixState.VERIFIED
    confirmed = verified and off > CONFIRMED
    loaded = pretrained.mostly_frozen(model)  # its answers for the task that it knows may be sure and wrong here
    warning = (off > FAR and not loaded) or confirmed
    low = Confidence.LOW if len(finite) < FEWEST or not warning else Confidence.MEDIUM
    meaning = (
        ("its frozen layers come from another task" if loaded else "fresh weights should know nothing")
        if off > 1
        else "it knows something already: pretrained weights, or a leak"
    )
    yield Finding(
        title=f"The loss starts at {off:.2g} times chance",
        message=f"The loss starts at {observed}; a guess would have {expected}. An untrained model is "
        f"{off:.2g} times there: {meaning}."
        + (" With the last layer started at zero, training is clearly better." if confirmed else ""),
        severity=Severity.WARNING if warning else Severity.INFO,
        confidence=Confidence.HIGH if confirmed else low,
        observed=observed,
        expected=expected,
        evidence=("/steps/initial_loss/value/observed", "/steps/initial_loss/value/chance"),
        fixes=(
            FIX,
            Fix(
                title="Check what feeds the loss",
                advice="the reduction, an activation before the loss, the scale of inputs and targets",
            ),
        )
        if off > 1
        else (),
        key="model",
    )


def _of_the_middle(
    assumptions: Assumptions | None, data: DataProfile | None, model: ModelProfile | None
) -> float | None:
    """Squared error of the answer in the middle of a bounded range: where an untrained sigmoid stands, 0.5."""
    output = model.output if model is not None else None
    if output is None or output.lower_bound is None or output.upper_bound is None or data is None:
        return None
    if assumptions is None or assumptions.loss_family != "mse":
        return None
    middle = (output.lower_bound + output.upper_bound) / 2
    return data.targets.std**2 + (data.targets.mean - middle) ** 2
