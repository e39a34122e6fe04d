"""Does the eps of a normalisation layer hide the variance, or fail to guard against zero?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import claims
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The eps of a normalisation layer is out of range",
    why="eps is added to the variance: a large one switches the normalisation off, a tiny one lets it divide by zero.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html",),
)
LARGEST = 1e-2  # 1e-3 is in use (CATALOGUE)
SMALLEST = {"float16": 1e-7}  # where it rounds to 0
SMALLEST_ELSE = 1e-12
SWAMPED = 100.0  # times the variance of the input: the output then has less than a tenth of unit spread
EFFECTS = (
    "gradients-vanish",
    "non-finite-loss",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "nothing-learned",
    "loss-plateaus",
    "underfitting",
)
"""More than the catalogue's three: with eps 1000 a network learns nothing at any learning rate."""
FIX = Fix(title="Use the usual eps of 1e-5", transforms=(Transform.DEFAULT_NORM_EPS,))


def check(spec: TrainingSpec, model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    layers = [(layer, layer.eps) for layer in model.layers if layer.eps is not None]
    if not layers:
        raise NotApplicable("the model has no normalisation layer")
    smallest = SMALLEST.get(spec.precision, SMALLEST_ELSE)
    odd = [(layer, eps) for layer, eps in layers if not smallest <= eps <= LARGEST]
    expected = f"{smallest:g} to {LARGEST:g}"
    if not odd:
        found = sorted({eps for _, eps in layers})
        yield Passed(observed=", ".join(f"{eps:g}" for eps in found), expected=expected)
        return
    layer, eps = max(odd, key=lambda pair: (_swamped(*pair), pair[1]))
    swamped = _swamped(layer, eps)
    claim = claims.claim(treatments, FIX)
    if claim.state is FixState.REFUTED and not swamped:
        yield Passed(observed=f"{eps:g} in `{layer.path}`; 1e-5 was tried and is not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    if swamped and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # theory with the measured spread
    spread = layer.input_std
    yield Finding(
        title=f"`{layer.path}` has eps {eps:g}",
        message=f"`{layer.path}` ({layer.type}) adds eps = {eps:g} to the variance"
        + (
            f" of its input, which is {spread**2:.2g}: what it returns has a spread of "
            f"{spread / (spread**2 + eps) ** 0.5:.2g} instead of 1."
            if swamped and spread is not None
            else "."
        )
        + (f" The same holds for {len(odd) - 1} more layers." if len(odd) > 1 else "")
        + claim.words,
        severity=severity,
        confidence=confidence,
        observed=f"eps {eps:g} in `{layer.path}`",
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(FIX,),
        explains=EFFECTS if severity is Severity.WARNING else (),
        key="model",
        subject=layer.path,
    )


def _swamped(layer: LayerProfile, eps: float) -> bool:
    return layer.input_std is not None and eps > SWAMPED * layer.input_std**2
