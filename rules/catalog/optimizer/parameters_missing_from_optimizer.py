"""Are there trainable parameters that the optimizer does not know?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile, OptimizerProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Parameters are missing from the optimizer",
    why="A parameter in no group is never updated: its layer stays as random as it was.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/optim.html#constructing-it",),
)
SHOWN = 5
FIX = Fix(
    title="Build the optimizer over all of `model.parameters()`", transforms=(Transform.ALL_PARAMETERS_IN_OPTIMIZER,)
)
EFFECTS = (
    "capacity-too-small",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "underfitting",
    "loss-plateaus",
    "nothing-learned",
)


def check(spec: TrainingSpec, optimizer: OptimizerProfile, model: ModelProfile | None) -> Iterator[Finding | Passed]:
    without_gradient = set(model.unused) if model is not None else set()
    elsewhere = set(optimizer.moved_elsewhere)
    missing = [name for name in optimizer.missing if name not in without_gradient | elsewhere]
    expected = "every trainable parameter in one group, and no others"
    if not missing and optimizer.foreign == 0:
        left_out = ""
        if optimizer.missing:
            left_out = f"; {len(optimizer.missing)} that get no gradient, or move by another optimizer, are left out"
        yield Passed(observed=f"all parameters are in a group{left_out}", expected=expected)
        return
    names = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
    sentences = []
    if missing:
        share = f"{optimizer.missing_share:.0%} of the trainable parameters"
        sentences.append(f"{names}: in no group of the optimizer ({share}), so they are never updated.")
    if optimizer.foreign:
        sentences.append(
            f"{optimizer.foreign} parameters in its groups are not the model's: it was built before a copy or new head."
        )
    yield Finding(
        title=f"{len(missing)} parameters are missing from the optimizer" if missing else None,
        message=" ".join(sentences),
        severity=Severity.ERROR,
        # By definition; a step of the user's own may hold a second optimizer that we do not see.
        confidence=Confidence.HIGH if spec.step is None else Confidence.MEDIUM,
        observed=f"{len(missing)} missing, {optimizer.foreign} foreign",
        expected=expected,
        evidence=("/steps/preflight/optimizer/value/missing", "/steps/preflight/optimizer/value/foreign"),
        fixes=(FIX,),
        explains=EFFECTS,
        key="optimizer",
        subject=missing[0] if missing else None,
    )
