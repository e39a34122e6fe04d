"""Does a convolution take the picture's height for its channels?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Pictures arrive channels-last",
    why="PyTorch's convolutions read (N, C, H, W): fed (N, H, W, C), they slide over colours and mix rows as if "
    "they were channels.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html",),
)
SPATIAL = 0.8  # neighbours along a truly spatial axis correlate like neighbours along the other one
CHANNELS = (1, 3, 4)


def check(data: DataProfile, model: ModelProfile) -> Iterator[Finding | Passed]:
    first = next((layer for layer in model.layers if layer.weight_norm is not None), None)
    if first is None or first.type != "Conv2d":
        raise NotApplicable("the first weight layer is no 2-d convolution")
    if len(data.input_shape) != 3:
        raise NotApplicable("the inputs are not pictures with three axes")
    observed = f"rows of shape {data.input_shape}"
    expected = "(channels, height, width)"
    height, _, channels = data.input_shape
    if not data.channel_axis_last or channels not in CHANNELS:
        yield Passed(observed=observed, expected=expected)
        return
    ratio = data.channel_correlation_ratio
    if ratio is None:
        raise Unjudged("which axis holds the channels could not be measured")
    known = first.in_channels is not None  # else the model may turn the picture itself
    if (known and first.in_channels != height) or ratio < SPATIAL:
        yield Passed(observed=f"{observed}, turned by the model or no picture", expected=expected)
        return
    yield Finding(
        title=f"Pictures arrive channels-last, {data.input_shape}",
        message=f"Each row has the shape {data.input_shape}, and `{first.path}` reads its first axis as "
        f"{height} channels. "
        f"Neighbours along that axis are as alike as neighbouring pixels (ratio {ratio:.2f}), so it is height, "
        f"and the last axis, {channels}, holds the colours.",
        severity=Severity.WARNING if known else Severity.INFO,
        confidence=Confidence.HIGH
        if known
        else Confidence.LOW,  # the layer's width by definition, the meaning of the axis by a control
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/input_shape", "/steps/preflight/data/value/channel_correlation_ratio"),
        fixes=(
            Fix(
                title="Put the channels first",
                advice=f"`x.permute(0, 3, 1, 2)` on a batch, and `in_channels={channels}` in `{first.path}`",
            ),
        ),
        explains=("unused-parameters", "underfitting", "capacity-too-small") if known else (),
        key="data",
        subject=first.path,
    )
