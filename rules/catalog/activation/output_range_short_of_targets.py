"""Can the outputs reach the targets at all?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LossProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The outputs cannot reach the targets",
    why="What lies beyond the range of the last activation is never answered right, however long the training.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-2/#losses",),
)
MISSED = 0.01  # share of targets out of range
CUT = 0.3  # share of logits that are exactly 0, as ReLU leaves them
FIX = Fix(
    title="Make the output linear",
    transforms=(Transform.REMOVE_FINAL_ACTIVATION,),
    advice="no activation after the last layer, or targets scaled into its range",
)
ON_THE_BOUND = (
    "initial-loss-off-chance",
    "small-set-not-memorised",
    "underfitting",
    "loss-plateaus",
    "nothing-learned",
)
LOGIT_FAMILIES = ("cross_entropy", "bce_with_logits", "focal")


def check(assumptions: Assumptions, model: ModelProfile, loss: LossProfile | None) -> Iterator[Finding | Passed]:
    output = model.output
    if output is None:
        raise Unjudged("the outputs of the untrained model could not be examined")
    if output.constant_one:
        raise NotApplicable("the single output is always 1: another rule's question")
    logits = assumptions.loss_family in LOGIT_FAMILIES or (
        loss is not None and bool(loss.applies_softmax or loss.applies_sigmoid)
    )
    last = f"the last operation is {output.final_operation}"
    if logits:
        observed = f"{last}, {output.exact_zero_share:.0%} of the logits are exactly 0"
        expected = "logits of both signs"
        if output.within_unit_interval or not output.never_negative or output.exact_zero_share < CUT:
            yield Passed(observed=observed, expected=expected)
            return
        message = (
            f"The loss {assumptions.loss} wants logits of both signs, and these are never negative: {last}, and "
            f"{output.exact_zero_share:.0%} of them are exactly 0, where no gradient passes."
        )
        title = f"{output.final_operation} on the logits"
        evidence: tuple[str, ...] = (
            "/steps/preflight/model/value/output/never_negative",
            "/steps/preflight/model/value/output/exact_zero_share",
        )
    else:
        share = output.targets_out_of_range_share
        if share is None:
            raise NotApplicable("the outputs are not compared with targets of the same kind")
        low = "-∞" if output.lower_bound is None else f"{output.lower_bound:g}"
        high = "∞" if output.upper_bound is None else f"{output.upper_bound:g}"
        observed = f"outputs from {low} to {high}, {share:.1%} of the targets lie outside"
        expected = f"at most {MISSED:.0%}"
        if share <= MISSED:
            yield Passed(observed=observed, expected=expected)
            return
        message = f"The outputs lie between {low} and {high} ({last}), and {share:.1%} of the targets do not."
        title = f"{share:.0%} of the targets are out of the outputs' reach"
        evidence = (
            "/steps/preflight/model/value/output/targets_out_of_range_share",
            "/steps/preflight/model/value/output/lower_bound",
            "/steps/preflight/model/value/output/upper_bound",
        )
    yield Finding(
        title=title,
        message=message,
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition, also for inputs x 100
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=evidence,
        fixes=(FIX,),
        explains=ON_THE_BOUND,
        key="model",
        subject=output.final_operation,
    )
