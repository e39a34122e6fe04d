"""Does BatchNorm stand where it can help?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules import norms
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="BatchNorm stands in an unusual place",
    why="Right before the output it fixes the scale of the answers, and a bias before it is subtracted again.",
    since="0.1",
    references=("https://arxiv.org/abs/1502.03167",),
)
EXPECTED = "linear or convolution without bias, BatchNorm, activation; none right before the output"
NAMED = 3


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    layers = norms.batch_norms(model)
    if not layers:
        raise NotApplicable("the model has no BatchNorm")
    last = next((layer for layer in layers if not layer.hidden), None)
    biased = tuple(layer for layer in model.layers if layer.bias_feeds_norm)
    if last is not None:
        yield Finding(
            title=f"`{last.path}` normalises the outputs",
            message=f"`{last.path}` is the last layer: whatever the weights before it, every output has the mean and "
            "spread that BatchNorm gives it.",
            severity=Severity.INFO,
            confidence=Confidence.LOW,
            observed=f"`{last.path}` right before the output",
            expected=EXPECTED,
            evidence=("/steps/preflight/model/value/layers",),
            fixes=(Fix(title="End with a plain linear layer", advice=f"remove `{last.path}`"),),
            key="model",
            subject=last.path,
        )
    if biased:
        yield _bias(biased)
    if last is None and not biased:
        yield Passed(observed=f"{len(layers)} BatchNorm layers, none before the output", expected=EXPECTED)


def _bias(biased: tuple[LayerProfile, ...]) -> Finding:
    names = ", ".join(f"`{layer.path}`" for layer in biased[:NAMED])
    more = f" and {len(biased) - NAMED} more" if len(biased) > NAMED else ""
    return Finding(
        title="A bias before BatchNorm does nothing",
        message=f"The bias of {names}{more} is subtracted again by the BatchNorm behind it: its gradient is 0.",
        severity=Severity.INFO,
        confidence=Confidence.HIGH,  # theory: the batch mean contains it
        observed=f"{len(biased)} layers with such a bias",
        expected=EXPECTED,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(Fix(title="Leave the bias out", advice="`bias=False` in the layer before BatchNorm"),),
        key="model",
        subject=biased[0].path,
        by_definition=True,
    )
