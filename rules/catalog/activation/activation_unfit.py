"""Would another hidden activation do clearly better?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Another activation does clearly better",
    why="The hidden activation decides how well gradients travel; a change costs one line.",
    since="0.1",
    references=("Ramachandran, Zoph and Le 2017, Searching for activation functions",),
)
FIXES = {
    "tanh": (Fix(title="Use ReLU with Kaiming weights", transforms=(Transform.RELU_ACTIVATIONS,)),),
    "sigmoid": (Fix(title="Use ReLU with Kaiming weights", transforms=(Transform.RELU_ACTIVATIONS,)),),
    "relu": (Fix(title="Use LeakyReLU", transforms=(Transform.LEAKY_RELU,)),),
}


def check(spec: TrainingSpec, model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    hidden = [layer for layer in model.layers if layer.hidden and layer.weight_norm is not None]
    used = sorted({layer.activation for layer in hidden if layer.activation in FIXES})
    if sum(layer.activation == "sigmoid" for layer in hidden) > 1:
        raise NotApplicable("several hidden sigmoid layers are another rule's question")
    if not used:
        raise NotApplicable("the hidden activations are none that a machine can exchange")
    fixes = FIXES[used[-1]]
    tried = [fix for fix in fixes if confirmation.find(treatments, fix) is not None]
    observed = f"hidden activation {', '.join(used)}"
    expected = "none that is clearly better"
    if tried and confirmation.state(treatments, *tried) is not FixState.VERIFIED:
        yield Passed(observed=f"{observed}; {tried[0].title} was not clearly better", expected=expected)
        return
    if not tried:
        if spec.protocol.preset != "thorough" or treatments is not None:
            raise Unjudged("no other activation was tried; the preset thorough does")
        confirmed = False
    else:
        confirmed = True
    yield Finding(
        message=f"The hidden activation is {', '.join(used)}. "
        + (f"{fixes[0].title}: clearly better." if confirmed else "Another one is worth a trial."),
        severity=Severity.WARNING if confirmed else Severity.INFO,
        confidence=Confidence.HIGH if confirmed else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=fixes,
        key="model",
    )
