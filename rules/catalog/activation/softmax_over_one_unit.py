"""Is there a softmax over a single output?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LossProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from diagnoser.trials import Transform
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Softmax over a single output",
    why="A softmax divides each output by the sum of all; of a single one it makes 1, whatever the input.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html",),
)
EFFECTS = (
    "initial-loss-off-chance",
    "unused-parameters",
    "inputs-ignored-by-model",
    "gradients-vanish",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "nothing-learned",
    "output-range-short-of-targets",
    "loss-unfit-for-task",
)


def check(assumptions: Assumptions, model: ModelProfile, loss: LossProfile | None) -> Iterator[Finding | Passed]:
    output = model.output
    if output is None:
        raise Unjudged("the outputs of the untrained model could not be examined")
    shape = output.shape
    in_loss = len(shape) > 1 and shape[1] == 1 and assumptions.loss_family == "cross_entropy"
    observed = f"outputs {shape}, from {output.minimum:.3g} to {output.maximum:.3g}"
    if not (output.constant_one or in_loss):
        yield Passed(observed=observed, expected="outputs that vary")
        return
    yes_no = assumptions.task in {Task.BINARY, Task.CLASSIFICATION} or (loss is not None and loss.takes_probabilities)
    fix = Fix(
        title="Use one logit and binary_cross_entropy_with_logits" if yes_no else "Drop the softmax",
        patch={"loss": "binary_cross_entropy_with_logits"} if yes_no else {},
        transforms=(Transform.REMOVE_FINAL_ACTIVATION,) if output.constant_one else (),
        advice="or two outputs and cross_entropy" if yes_no else None,
    )
    where = "The model's" if output.constant_one else "The loss's own"
    yield Finding(
        message=f"{where} softmax runs over a single output, {shape}: "
        "the answer is always 1 and every gradient exactly 0.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected="a softmax over two or more outputs, or none",
        evidence=("/steps/preflight/model/value/output/constant_one", "/steps/preflight/model/value/output/shape"),
        fixes=(fix,),
        explains=EFFECTS,
        key="model",
        subject=output.final_operation,
    )
