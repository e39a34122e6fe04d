"""Does the loss fit the kind of answer that the targets ask for?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile, LossProfile, ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import Task
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The loss does not fit the targets",
    why="A loss defines what a right answer is; one made for another kind of answer is minimised by the wrong model.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-2/#losses",),
)
SEVERAL = 0.05  # share of rows whose labels do not sum to 1: several may be true at once
MANY_VALUES = 20  # distinct real targets: no longer classes
DISTANCES = ("mse", "l1", "huber")
CLASS_LOSSES = ("cross_entropy", "nll", "focal")
MISLED = (
    "initial-loss-off-chance",
    "loss-and-metric-disagree",
    "small-set-not-memorised",
    "underfitting",
    "nothing-learned",
)
TARGETS = "/steps/preflight/data/value/targets/kind"
FAMILY = "/steps/preflight/assumptions/value/loss_family"


def check(
    assumptions: Assumptions,
    data: DataProfile,
    model: ModelProfile | None,
    loss: LossProfile | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if assumptions.task is Task.CUSTOM or data.targets.kind == "none":
        raise NotApplicable("the task is defined by the user's own step")
    output = model.output if model is not None else None
    if output is not None and output.constant_one:
        raise NotApplicable("the single output is always 1: another rule's question")
    probabilities = output is not None and output.within_unit_interval
    broken = _by_definition(assumptions, data, loss, softmax=output is not None and output.rows_sum_to_one)
    if broken is not None:
        message, fix = broken
        yield Finding(
            title=f"{assumptions.loss} does not fit these targets",
            message=message,
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
            observed=f"{assumptions.loss} on {data.targets.kind} targets",
            expected="a loss for this kind of target",
            evidence=(TARGETS, FAMILY),
            fixes=(fix,),
            explains=MISLED,
            key="loss",
        )
        return
    if assumptions.loss_family not in DISTANCES or not _classes(assumptions, data):
        yield Passed(observed=f"{assumptions.loss} on {data.targets.kind} targets", expected="a loss that fits")
        return
    fixes = _for_classes(
        assumptions, data, probabilities=probabilities, softmax=bool(output and output.rows_sum_to_one)
    )
    verified = any(fix.can_be_tried and confirmation.state(treatments, fix) is FixState.VERIFIED for fix in fixes)
    yield Finding(
        title=f"{assumptions.loss} on {data.targets.distinct} classes",
        message=f"The targets are {data.targets.distinct} classes, and {assumptions.loss} measures distances. "
        + (
            "Trained with cross-entropy, the model is clearly better."
            if verified
            else "Where the answer is clearly wrong its gradient is weak."
        ),
        severity=Severity.WARNING if verified else Severity.INFO,
        confidence=Confidence.HIGH if verified else Confidence.LOW,
        observed=f"{assumptions.loss} on {data.targets.kind} targets",
        expected="cross-entropy",
        evidence=(TARGETS, FAMILY),
        fixes=fixes,
        explains=MISLED if verified else (),
        key="loss",
    )


def _by_definition(
    assumptions: Assumptions, data: DataProfile, loss: LossProfile | None, *, softmax: bool
) -> tuple[str, Fix] | None:
    targets, family = data.targets, assumptions.loss_family
    one = targets.row_sum_is_one_share
    if targets.kind == "multilabel" and one is not None and one < 1 - SEVERAL:
        if softmax or (loss is not None and loss.applies_softmax):
            return (
                f"In {1 - one:.0%} of the rows not exactly one label is true, and softmax lets only one win.",
                Fix(
                    title="One yes or no for each label: binary_cross_entropy_with_logits",
                    patch={"loss": "binary_cross_entropy_with_logits"},
                    transforms=(Transform.REMOVE_FINAL_ACTIVATION,) if softmax else (),
                ),
            )
        return None
    known = loss is not None and loss.because_unjudged is None
    outside = known and loss is not None and not loss.targets_within_unit_interval
    if family in {"bce", "bce_with_logits"} and outside and targets.distinct > 2:
        classes = targets.kind == "class" or targets.distinct <= MANY_VALUES
        fix = Fix(
            title="Use a loss for classes" if classes else "Use a loss for numbers",
            patch={} if classes else {"loss": "mse_loss"},
            advice=f"{targets.distinct} outputs and cross_entropy" if classes else "no sigmoid at the end",
        )
        return (
            f"{assumptions.loss} takes targets in [0, 1]; these run from {targets.minimum:g} to {targets.maximum:g}.",
            fix,
        )
    soft = one is not None and one >= 1 - SEVERAL  # distillation, mixup
    if family in CLASS_LOSSES and targets.kind == "real" and targets.distinct > MANY_VALUES and not soft:
        return (
            f"{assumptions.loss} chooses among classes, and there are {targets.distinct:,} different real targets.",
            Fix(title="Use a loss for numbers", patch={"loss": "mse_loss"}),
        )
    return None


def _classes(assumptions: Assumptions, data: DataProfile) -> bool:
    targets = data.targets
    one_hot = targets.kind == "multilabel" and (targets.row_sum_is_one_share or 0) >= 1 - SEVERAL
    return targets.kind in {"class", "binary"} or (one_hot and assumptions.task is Task.CLASSIFICATION)


def _for_classes(assumptions: Assumptions, data: DataProfile, *, probabilities: bool, softmax: bool) -> tuple[Fix, ...]:
    if softmax:
        return (
            Fix(
                title="Use cross_entropy on logits",
                patch={"loss": "cross_entropy"},
                transforms=(Transform.REMOVE_FINAL_ACTIVATION,),
            ),
        )
    if data.targets.distinct <= 2:
        name = "binary_cross_entropy" if probabilities else "binary_cross_entropy_with_logits"
        return (Fix(title=f"Use {name}", patch={"loss": name}),)
    if (assumptions.classes or 1) > 1:
        squashed = (Transform.REMOVE_FINAL_ACTIVATION,) if probabilities else ()
        return (Fix(title="Use cross_entropy on logits", patch={"loss": "cross_entropy"}, transforms=squashed),)
    return (Fix(title="Use cross_entropy", advice=f"one output for each of the {data.targets.distinct} classes"),)
