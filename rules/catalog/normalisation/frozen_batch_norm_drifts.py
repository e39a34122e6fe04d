"""Do frozen BatchNorm layers go on changing their statistics?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState
from diagnoser.trials import Transform
from rules import claims, norms
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Frozen BatchNorm layers still drift",
    why="`requires_grad=False` stops weight and bias only; in train mode the running statistics follow the new data.",
    since="0.1",
    references=("https://keras.io/guides/transfer_learning/#build-a-model",),
)
FIX = Fix(
    title="Keep frozen layers in eval mode",
    transforms=(Transform.FROZEN_NORM_IN_EVAL,),
    advice="after `model.train()`, call `.eval()` on each frozen BatchNorm",
)


def check(model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    frozen = [
        layer for layer in norms.batch_norms(model) if layer.parameters and layer.frozen_parameters == layer.parameters
    ]
    if not frozen:
        raise NotApplicable("no BatchNorm layer is frozen")
    drifting = [layer for layer in frozen if layer.training_mode and layer.norm_momentum_tracks]
    observed = f"{len(drifting)} of {len(frozen)} frozen BatchNorm layers are in train mode"
    expected = "frozen layers in eval mode"
    if not drifting:
        yield Passed(observed=observed, expected=expected)
        return
    claim = claims.claim(treatments, FIX)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; keeping their statistics was tried and is not better", expected=expected)
        return
    yield Finding(
        title=f"{len(drifting)} frozen BatchNorm layers still drift",
        message=f"{observed}, `{drifting[0].path}` first: their running statistics change in training. "
        "That often helps fine-tuning; it is no freezing." + claim.words,
        severity=claim.severity,
        confidence=Confidence.HIGH,  # by definition
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(FIX,),
        key="model",
        subject=drifting[0].path,
        by_definition=True,
    )
