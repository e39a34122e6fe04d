"""Are there labels that the model has no output for?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile, LossProfile, TargetProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Labels do not fit the model's outputs",
    why="A label without an output is an error on the CPU, and on a GPU it ends the whole process.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",),
)
SPARE = 2  # times as many outputs as labels
CLASS_KINDS = ("class", "binary")


def check(assumptions: Assumptions, data: DataProfile, loss: LossProfile) -> Iterator[Finding | Passed]:
    targets = data.targets
    if targets.kind not in {*CLASS_KINDS, "tokens", "multilabel"} and not loss.label_out_of_range:
        raise NotApplicable("the targets are no class labels")
    if loss.because_unjudged is not None:
        raise Unjudged(loss.because_unjudged)
    outputs = assumptions.classes
    binary = assumptions.loss_family in {"bce", "bce_with_logits"}
    observed = f"labels {targets.minimum:g} to {targets.maximum:g}"
    some = f"0 to {outputs - 1}" if outputs is not None else "one output for each label"
    expected = "0 or 1" if binary else some
    if loss.label_out_of_range:
        listed = ", ".join(str(label) for label in loss.label_out_of_range)
        yield Finding(
            title=f"Labels {listed} are outside {expected}",
            message=f"The labels {listed} occur, and the loss accepts {expected}.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed=observed,
            expected=expected,
            evidence=("/steps/preflight/loss/value/label_out_of_range",),
            fixes=(_renumbered(targets, outputs=2 if binary else outputs),),
            key="model",
            subject="labels",
        )
        return
    if assumptions.task is Task.CLASSIFICATION and outputs is not None and outputs > SPARE * targets.distinct:
        yield Finding(
            title=f"{outputs} outputs for {targets.distinct} labels",
            message=f"The model has {outputs} outputs, and only {targets.distinct} different labels occur.",
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            observed=f"{outputs} outputs",
            expected=f"{targets.distinct} outputs",
            evidence=(
                "/steps/preflight/assumptions/value/classes",
                "/steps/preflight/data/value/targets/distinct",
            ),
            fixes=(Fix(title="One output for each label", advice=f"give the last layer {targets.distinct} outputs"),),
            key="model",
        )
        return
    yield Passed(observed=observed, expected=expected)


def _renumbered(targets: TargetProfile, *, outputs: int | None) -> Fix:
    """Tried where the labels would fit once they are numbered; else the model has too few outputs."""
    fits = targets.kind in CLASS_KINDS and outputs is not None and targets.distinct <= outputs
    return Fix(
        title="Number the labels from 0",
        transforms=(Transform.RELABEL,) if fits else (),
        advice=f"relabel to 0..{max(1, targets.distinct - 1)}, or give the last layer more outputs",
    )
