"""Does the softmax run over the batch instead of the classes?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Softmax runs over the wrong axis",
    why="Normalised over the batch, rows compete with one another, and each answer depends on its neighbours.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html",),
)
FIX = Fix(
    title="Return logits, or take the softmax over the classes",
    transforms=(Transform.REMOVE_FINAL_ACTIVATION,),
    advice="`dim=-1`, and only with a loss that takes probabilities",
)


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    output = model.output
    if output is None:
        raise Unjudged("the outputs of the untrained model could not be examined")
    if len(output.shape) < 2 or output.shape[0] < 2 or output.shape[-1] < 2:
        raise NotApplicable("there is one output or one row")
    observed = f"outputs {output.shape}, the last operation is {output.final_operation}"
    if not output.columns_sum_to_one or output.rows_sum_to_one:
        yield Passed(observed=observed, expected="outputs that do not sum to 1 along the batch")
        return
    yield Finding(
        message=f"The outputs sum to 1 along the batch (or time), not along the {output.shape[-1]} classes: "
        f"the softmax makes the {output.shape[0]} rows compete for one unit of probability.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected="sums of 1 along the classes, or logits",
        evidence=(
            "/steps/preflight/model/value/output/columns_sum_to_one",
            "/steps/preflight/model/value/output/rows_sum_to_one",
        ),
        fixes=(FIX,),
        explains=(
            "samples-mixed-in-batch",
            "initial-loss-off-chance",
            "logits-to-probability-loss",  # along the axis of classes they are no probabilities
            "small-set-not-memorised",
            "nothing-learned",
        ),
        key="model",
        subject=output.final_operation,
    )
