"""Do the units of a hidden layer all learn the same thing?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Overfit, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Transform
from rules import confirmation, rates
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The units of a layer are copies of each other",
    why="Units that start equal get equal gradients and stay equal: the layer is one unit wide, whatever its size.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-2/#init",),
)
ALIKE = 0.5  # share of unit pairs whose gradients have one direction (CATALOGUE)
NEARLY_ALL = 0.95  # equal units give 1
NARROW = 2  # outputs: a layer that is one unit wide may still do for a task with one output, or two under a softmax
FIX = Fix(title="Re-initialise with random weights", transforms=(Transform.REINITIALISE,))
EFFECTS = (
    "capacity-too-small",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "nothing-learned",
    "underfitting",
    "loss-plateaus",
    "gradients-vanish",
)


OF_DEAD = ("dead-relu-units", "unused-parameters")
"""Weights that are all 0 answer 0 and pass no gradient on; copies of one unit die all together."""
ALL = 0.999  # of a layer's units


def check(model: ModelProfile, overfit: Overfit | None, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    hidden = [layer for layer in model.layers if layer.hidden and is_finite(layer.unit_gradient_similarity)]
    if model.affine and not any(layer.weight_norm == 0 for layer in hidden):  # a network of zeros is affine too
        raise NotApplicable("in a network without nonlinearity the gradients of units are parallel anyway")
    if not hidden:
        if not any(layer.hidden for layer in model.layers):
            raise NotApplicable("there is no hidden layer")
        raise Unjudged("the gradients of single units could not be compared")
    worst = max(hidden, key=_alike)
    observed = f"{_alike(worst):.0%} of the unit pairs of {worst.path} have equal gradients"
    expected = f"fewer than {ALIKE:.0%}, after three updates"
    if _alike(worst) < ALIKE:
        yield Passed(observed=observed, expected=expected)
        return
    for index, layer in enumerate(model.layers):
        if layer not in hidden or _alike(layer) < ALIKE:
            continue
        severity, confidence = _weigh(layer, model, overfit, treatments)
        yield Finding(
            title=f"The units of {layer.path} are copies of each other",
            message=f"After three updates {_alike(layer):.0%} of the unit pairs of {layer.path} still have equal "
            "weights and gradients of one direction: the units learn the same thing.",
            severity=severity,
            confidence=confidence,
            observed=f"{_alike(layer):.0%} of the unit pairs have equal gradients",
            expected=expected,
            evidence=(f"/steps/preflight/model/value/layers/{index}/unit_gradient_similarity",),
            fixes=(FIX,),
            explains=() if severity is Severity.INFO else EFFECTS + (OF_DEAD if _is_dead(layer) else ()),
            key="model",
            subject=layer.path,
        )


def _is_dead(layer: LayerProfile) -> bool:
    return layer.weight_norm == 0 or (layer.dead_share is not None and layer.dead_share >= ALL)


def _alike(layer: LayerProfile) -> float:
    return layer.unit_gradient_similarity or 0.0


def _weigh(
    layer: LayerProfile, model: ModelProfile, overfit: Overfit | None, treatments: Treatments | None
) -> tuple[Severity, Confidence]:
    """An error by theory; less where the small set is learned all the same."""
    if confirmation.state(treatments, FIX) is FixState.VERIFIED:
        return Severity.ERROR, Confidence.HIGH
    width = model.output.shape[-1] if model.output is not None and len(model.output.shape) > 1 else 1
    attempts = [a for a in rates.plain_attempts(overfit) if overfit is not None and rates.same(a.lr, overfit.user_lr)]
    learned = any(attempt.memorised for attempt in attempts)
    if _alike(layer) >= NEARLY_ALL:
        if width > NARROW or not learned:
            return Severity.ERROR, Confidence.HIGH
        return Severity.WARNING, Confidence.MEDIUM  # a single unit may do for a task with one output
    return (Severity.INFO, Confidence.LOW) if learned else (Severity.ERROR, Confidence.MEDIUM)
