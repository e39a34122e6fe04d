"""Is the whole network one linear map?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Layers without a nonlinearity between them",
    why="A chain of linear layers is one linear layer: depth costs time and brings nothing.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-1/#actfun",),
)
FIX = Fix(title="Insert ReLU between the layers", transforms=(Transform.INSERT_RELU,))


def check(model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if model.weight_layers < 2:
        raise NotApplicable("the model has a single weight layer: linear on purpose")
    if model.affine is None:
        raise Unjudged("whether the network is linear could not be measured on this kind of input")
    if not model.affine:
        yield Passed(observed="f(x) + f(y) differs from f(x + y) + f(0)", expected="a nonlinear network")
        return
    verified = confirmation.state(treatments, FIX) is FixState.VERIFIED
    yield Finding(
        title=f"{model.weight_layers} layers act as a single linear one",
        message=f"The network has {model.weight_layers} weight layers and is linear as a whole: "
        "f(x) + f(y) = f(x + y) + f(0) for every pair tried."
        + (" With ReLU between the layers it is clearly better." if verified else ""),
        severity=Severity.WARNING if verified else Severity.INFO,
        confidence=Confidence.HIGH if verified else Confidence.LOW,
        observed="a network that is affine in its input",
        expected="a nonlinearity between weight layers",
        evidence=("/steps/preflight/model/value/affine", "/steps/preflight/model/value/weight_layers"),
        fixes=(FIX,),
        explains=("capacity-too-small", "small-set-not-memorised", "underfitting") if verified else (),
        key="model",
    )
