"""Is softmax applied twice?"""

from collections.abc import Iterator
from math import exp, log

from diagnoser.evidence.preflight import Assumptions, LossProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Softmax before cross-entropy",
    why="Cross-entropy applies softmax itself; fed with probabilities it can never fall near 0, and gradients shrink.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",),
)
FIX = Fix(
    title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,), advice="drop the softmax from the model"
)
FLOORED = (
    "capacity-too-small",
    "small-set-not-memorised",
    "loss-plateaus",
    "underfitting",
    "gradients-vanish",
    "learning-rate-too-low",
    "initial-loss-off-chance",
    "output-range-short-of-targets",
)


def check(model: ModelProfile, loss: LossProfile, assumptions: Assumptions) -> Iterator[Finding | Passed]:
    output = model.output
    if output is None or loss.applies_softmax is None:
        raise Unjudged("outputs or loss of the untrained model could not be examined")
    if not loss.applies_softmax:
        raise NotApplicable("the loss applies no softmax of its own")
    if output.constant_one or assumptions.classes == 1:
        raise NotApplicable("there is one output")
    observed = (
        f"outputs from {output.minimum:.3g} to {output.maximum:.3g}, the last operation is {output.final_operation}"
    )
    if not (output.rows_sum_to_one and output.within_unit_interval):
        yield Passed(observed=observed, expected="logits")
        return
    classes = assumptions.classes or output.shape[-1]
    floor = log(exp(1) + classes - 1) - 1  # all probability on the right class: logits 1 and 0
    yield Finding(
        message=f"The model returns probabilities (each row sums to 1), and {assumptions.loss} applies softmax again. "
        f"A perfect answer then still loses {floor:.3f} for {classes} classes.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition, at three initialisations and for inputs x 100
        by_definition=True,
        observed=observed,
        expected="logits: any number, rows that need not sum to 1",
        evidence=("/steps/preflight/model/value/output/rows_sum_to_one", "/steps/preflight/loss/value/applies_softmax"),
        fixes=(FIX,),
        explains=FLOORED,
        key="model",
        subject=output.final_operation,
    )
