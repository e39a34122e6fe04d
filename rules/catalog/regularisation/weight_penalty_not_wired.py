"""Does the weight decay that was asked for reach the loss or the optimizer?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import InitialLoss
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Weight decay is not wired",
    why="A penalty that reaches neither loss nor optimizer regularises nothing, whatever the spec says.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/optim.html",),
)
NOTHING = 1e-9  # a weight decay of 1 moves the weights by lr times their norm in one update


def check(initial: InitialLoss, model: ModelProfile | None) -> Iterator[Finding | Passed]:
    if not initial.penalty_asked:
        raise NotApplicable("the spec asks for no weight decay")
    in_loss, in_weights = initial.penalty_in_loss, initial.penalty_in_weights
    if in_loss is None or in_weights is None or not is_finite(in_loss) or not is_finite(in_weights):
        raise Unjudged("one update with and one without a strong weight decay could not be compared")
    observed = (
        f"with a weight decay of 1 the loss rises by {in_loss:.3g}, and the weights' norm is {in_weights:.3g} smaller"
    )
    expected = "one of the two above 0"
    if abs(in_loss) > NOTHING or abs(in_weights) > NOTHING:
        yield Passed(observed=observed, expected=expected)
        return
    if model is not None and model.half_precision_weights:
        raise Unjudged("weights in half precision have 2 to 3 digits: what one update takes off may be rounded away")
    yield Finding(
        message="A weight decay of 1 changes neither the loss nor the weights after one update: what the spec asks for "
        "is not passed on.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # by definition
        observed=observed,
        expected=expected,
        evidence=("/steps/initial_loss/value/penalty_in_loss", "/steps/initial_loss/value/penalty_in_weights"),
        fixes=(
            Fix(
                title="Pass the weight decay on",
                advice="`def build_optimizer(model, lr, weight_decay): return AdamW(model.parameters(), lr=lr, "
                "weight_decay=weight_decay)`",
            ),
        ),
        key="optimizer.weight_decay",
        by_definition=True,
    )
