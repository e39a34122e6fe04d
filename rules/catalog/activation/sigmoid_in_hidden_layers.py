"""Are several hidden layers squashed by sigmoids?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Sigmoid in several hidden layers",
    why="A sigmoid passes at most a quarter of the gradient; over a few layers little is left for the first.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-1/#actfun",),
)
SEVERAL = 2  # one hidden sigmoid layer trains well
STEEPEST = 0.25  # derivative of the sigmoid at 0
FIX = Fix(title="Use ReLU with Kaiming weights", transforms=(Transform.RELU_ACTIVATIONS,))
CURED = (
    "saturated-activations",
    "gradients-vanish",
    "loss-plateaus",
    "small-set-not-memorised",
    "no-learning-rate-works",
)


def check(model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    sigmoids = [layer for layer in model.layers if layer.hidden and layer.activation == "sigmoid"]
    weights = [layer for layer in sigmoids if layer.weight_norm is not None]
    count = max(len(weights), len(sigmoids) - len(weights))
    observed = f"{count} hidden sigmoid layer{'' if count == 1 else 's'}"
    if count < SEVERAL:
        yield Passed(observed=observed, expected=f"fewer than {SEVERAL}")
        return
    verified = confirmation.state(treatments, FIX) is FixState.VERIFIED
    yield Finding(
        title=f"{count} hidden layers end in a sigmoid",
        message=f"{count} hidden layers end in a sigmoid, which leaves at most {STEEPEST**count:.2g} of the gradient."
        + (" With ReLU the model is clearly better." if verified else ""),
        severity=Severity.WARNING if verified else Severity.INFO,
        confidence=Confidence.HIGH if verified else Confidence.LOW,
        observed=observed,
        expected="ReLU or a relative of it; a sigmoid only where the answer is a probability",
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(FIX,),
        explains=CURED if verified else (),
        key="model",
        subject=sigmoids[0].path,
    )
