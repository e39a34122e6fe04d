"""Do hidden sigmoids or tanhs sit on their flat parts?"""

from collections.abc import Iterator
from itertools import pairwise
from math import inf
from statistics import median

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Hidden activations are saturated",
    why="On its flat part an activation passes almost no gradient: the layers before it stand still.",
    since="0.1",
    references=("Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks",),
)
MOST = 0.5  # of the inputs beyond 5 (sigmoid: derivative < 0.01) or 2.5 (tanh: < 0.03)
SHRINKS = 10.0  # times smaller gradient in front of the layer than behind it
CHECKS = 3
SATURATING = ("sigmoid", "tanh")
FIXES = (
    Fix(title="Initialise for these activations (Xavier)", transforms=(Transform.REINITIALISE,)),
    Fix(title="Standardise the inputs", transforms=(Transform.STANDARDISE_INPUTS,)),
    Fix(title="Use ReLU, with Kaiming weights", transforms=(Transform.RELU_ACTIVATIONS,)),
)
EFFECTS = ("gradients-vanish", "loss-plateaus", "underfitting")


def check(model: ModelProfile, curves: Curves | None, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    hidden = [layer for layer in model.layers if layer.hidden and layer.activation in SATURATING]
    shares = {layer.path: layer.saturated_share for layer in hidden if layer.saturated_share is not None}
    if not shares:
        raise NotApplicable("no hidden layer ends in a sigmoid or tanh")
    worst = max(shares, key=lambda path: shares[path])
    expected = f"at most {MOST:.0%} of a layer's inputs on the flat parts"
    found = _at_the_start(model) or (_in_training(curves, set(shares)) if curves is not None else None)
    if found is None:
        yield Passed(observed=f"at most {shares[worst]:.0%}, in `{worst}` at the start", expected=expected)
        return
    layer, share, shrinks, when = found
    verified = confirmation.state(treatments, *FIXES) is FixState.VERIFIED
    yield Finding(
        title=f"{share:.0%} of the inputs of `{layer}` are saturated {when}",
        message=f"{share:.0%} of what the activation behind `{layer}` gets lies on its flat parts {when}, and the "
        f"gradient is {shrinks:.0f} times smaller before it than behind it.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH if verified else Confidence.MEDIUM,
        observed=f"{share:.0%} of the inputs, gradient {shrinks:.0f} times smaller",
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",) if when == "at the start" else ("/steps/curves/value/runs",),
        fixes=FIXES,
        explains=EFFECTS,
        key="model",
        subject=layer,
    )


def _at_the_start(model: ModelProfile) -> tuple[str, float, float, str] | None:
    weights = [layer for layer in model.layers if layer.weight_norm is not None and layer.eps is None]  # no norms
    for layer, after in pairwise(weights):
        if not layer.hidden or layer.activation not in SATURATING or layer.saturated_share is None:
            continue
        before_norm, after_norm = layer.gradient_norm, after.gradient_norm
        if layer.saturated_share > MOST and before_norm is not None and after_norm is not None:
            shrinks = after_norm / before_norm if before_norm > 0 else inf
            if shrinks > SHRINKS:
                return layer.path, layer.saturated_share, shrinks, "at the start"
    return None


def _in_training(curves: Curves, known: set[str]) -> tuple[str, float, float, str] | None:
    """A layer that is saturated at the last three checks of most runs in our loop, two at least."""
    seen: dict[str, list[tuple[float, float]]] = {}
    runs = [run for run in curves.runs if run.loop == "ours"]
    for run in runs:
        for trace, after in pairwise(run.layers):
            last = trace.saturated_share[-CHECKS:]
            norms = list(zip(trace.gradient_norm[-CHECKS:], after.gradient_norm[-CHECKS:], strict=False))
            if trace.layer not in known or len(last) < CHECKS or len(norms) < CHECKS:
                continue
            shrinks = min(behind / before if before > 0 else inf for before, behind in norms)
            if min(last) > MOST and shrinks > SHRINKS:
                seen.setdefault(trace.layer, []).append((min(last), shrinks))
    for layer, found in seen.items():
        if user_runs.enough(n < len(found) for n in range(len(runs))):
            return layer, median(share for share, _ in found), median(times for _, times in found), "in training"
    return None
