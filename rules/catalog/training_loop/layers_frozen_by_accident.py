"""Are layers frozen that were never trained?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import claims
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Random layers are frozen",
    why="Freezing keeps what was learned before; layers that were drawn at random have learned nothing worth keeping.",
    since="0.1",
    references=("https://cs231n.github.io/transfer-learning/",),
)
MOST = 0.5  # of the parameters frozen, and of those frozen random (CATALOGUE)
EFFECTS = (
    "capacity-too-small",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "underfitting",
    "loss-plateaus",
    "nothing-learned",
)
FIX = Fix(title="Train all layers", transforms=(Transform.UNFREEZE,))
ADVICE = Fix(
    title="Freeze only what is pretrained",
    advice="set `requires_grad = False` after the pretrained weights are loaded, and not on the new layers",
)


def check(model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if not model.frozen_parameters:
        raise NotApplicable("no layer is frozen")
    share = model.frozen_parameters / max(1, model.parameters)
    observed = (
        f"{share:.0%} of {model.parameters:,} parameters frozen, {model.frozen_are_random_share:.0%} of these random"
    )
    expected = f"at most {MOST:.0%} frozen, or frozen layers that every build loads alike"
    if share <= MOST or model.frozen_are_random_share <= MOST:
        yield Passed(observed=observed, expected=expected)
        return
    claim = claims.claim(treatments, FIX)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; training them was tried and is not better", expected=expected)
        return
    frozen = [layer.path for layer in model.layers if layer.parameters and layer.frozen_parameters == layer.parameters]
    yield Finding(
        title=f"{share:.0%} of the parameters are frozen at random values",
        message=f"{model.frozen_parameters:,} of {model.parameters:,} parameters have `requires_grad=False`, and two "
        f"builds of the model draw {model.frozen_are_random_share:.0%} of these differently: they are not pretrained."
        f"{claim.words}",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH if claim.verified else Confidence.MEDIUM,  # a control over two builds
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/frozen_parameters",
            "/steps/preflight/model/value/frozen_are_random_share",
        ),
        fixes=(FIX, ADVICE),
        explains=EFFECTS,
        key="model",
        subject=frozen[0] if frozen else None,
    )
