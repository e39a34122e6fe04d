"""Is a sigmoid applied twice?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LossProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Sigmoid before a loss that wants logits",
    why="The loss squashes its input itself; squashed twice, the answer can only say maybe.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",),
)
FIX = Fix(
    title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,), advice="drop the sigmoid from the model"
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
    if output is None:
        raise Unjudged("the outputs of the untrained model could not be examined")
    squashes = bool(loss.applies_sigmoid) or assumptions.loss_family == "bce_with_logits"
    if not squashes and not loss.applies_softmax:
        raise NotApplicable("the loss applies no sigmoid or softmax of its own")
    if output.constant_one or (loss.applies_softmax and output.rows_sum_to_one):
        raise NotApplicable("the outputs are those of a softmax: another rule's question")
    operation = output.final_operation.lower()
    observed = (
        f"outputs from {output.minimum:.3g} to {output.maximum:.3g}, the last operation is {output.final_operation}"
    )
    squashed = "sigmoid" in operation or ("softmax" in operation and "log" not in operation)
    if not (output.within_unit_interval and squashed and "log" not in operation):
        yield Passed(observed=observed, expected="logits")
        return
    floor = "0.313 where the answer is yes and 0.693 where it is no" if squashes else "more than 0"
    yield Finding(
        title=f"{output.final_operation} before a loss that wants logits",
        message=f"The model ends in {output.final_operation}, and the loss {assumptions.loss} squashes again. "
        f"A perfect answer then still loses {floor}.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition, also for inputs x 100
        by_definition=True,
        observed=observed,
        expected="logits: any number",
        evidence=(
            "/steps/preflight/model/value/output/within_unit_interval",
            "/steps/preflight/model/value/output/final_operation",
            "/steps/preflight/loss/value/applies_sigmoid",
        ),
        fixes=(FIX,),
        explains=FLOORED,
        key="model",
        subject=output.final_operation,
    )
