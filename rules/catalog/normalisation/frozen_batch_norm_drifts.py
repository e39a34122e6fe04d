"""Do frozen BatchNorm layers go on changing their statistics?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules import norms
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Frozen BatchNorm layers still drift",
    why="`requires_grad=False` stops weight and bias only; in train mode the running statistics follow the new data.",
    since="0.1",
    references=("https://keras.io/guides/transfer_learning/#build-a-model",),
)


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
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
    yield Finding(
        title=f"{len(drifting)} frozen BatchNorm layers still drift",
        message=f"{observed}, `{drifting[0].path}` first: their running statistics change in training. "
        "That often helps fine-tuning; it is no freezing.",
        severity=Severity.INFO,
        confidence=Confidence.HIGH,  # by definition
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(
            Fix(
                title="Keep frozen layers in eval mode",
                advice="after `model.train()`, call `.eval()` on each frozen BatchNorm",
            ),
        ),
        key="model",
        subject=drifting[0].path,
        by_definition=True,
    )
