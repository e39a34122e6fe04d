"""Is every output compared with every target?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LossProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Outputs and targets broadcast",
    why="Compared all with all, the best answer is the mean for everyone, and the model can learn nothing else.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/broadcasting.html",),
)
FIX = Fix(title="View the target in the shape of the output", transforms=(Transform.VIEW_TARGET_AS_OUTPUT,))
HELD_AT_VARIANCE = (
    "capacity-too-small",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "nothing-learned",
    "underfitting",
    "loss-plateaus",
)


def check(loss: LossProfile) -> Iterator[Finding | Passed]:
    shapes = f"output {loss.output_shape}, target {loss.target_shape}"
    if loss.because_unjudged is not None:
        raise Unjudged(loss.because_unjudged)
    if loss.output_shape is None or loss.target_shape is None:
        raise NotApplicable("the loss does not compare one output with one target")
    if not loss.broadcasts:
        yield Passed(observed=shapes, expected="shapes that belong together")
        return
    if loss.permutation_invariant is None:
        raise Unjudged(f"{shapes}: whether the order of the targets matters could not be measured")
    if not loss.permutation_invariant:
        yield Passed(observed=f"{shapes}; the order of the targets matters", expected="targets that belong to rows")
        return
    yield Finding(
        title=f"Outputs {loss.output_shape} and targets {loss.target_shape} broadcast",
        message=f"The outputs have the shape {loss.output_shape} and the targets {loss.target_shape}, so each output "
        "is compared with every target: exchanging the targets of a batch leaves the loss as it is.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition, and the permuted targets as control
        by_definition=True,
        observed=shapes,
        expected="one shape for both",
        evidence=(
            "/steps/preflight/loss/value/output_shape",
            "/steps/preflight/loss/value/target_shape",
            "/steps/preflight/loss/value/permutation_invariant",
        ),
        fixes=(FIX,),
        explains=HELD_AT_VARIANCE,
        key="data",
        subject="targets",
    )
