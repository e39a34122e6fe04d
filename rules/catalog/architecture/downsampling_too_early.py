"""Are small pictures made much smaller before the network has looked at them?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Small pictures are made smaller too early",
    why="What the first layers throw away no later layer can find again.",
    since="0.1",
    references=("https://arxiv.org/abs/1512.03385", "https://arxiv.org/abs/1602.07360"),
)
SMALL = 64  # pixels a side
QUARTER = 4  # of the side may be left after the first two layers with a stride
EARLY = 2  # layers


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    if not model.strided:
        raise NotApplicable("no convolution or pooling with a stride was seen")
    first = model.strided[:EARLY]
    side = first[0].side_before
    if side > SMALL:
        raise NotApplicable(f"pictures of {side} pixels a side are not small")
    if first[0].cuts_patches:
        raise NotApplicable("the first layer cuts the picture into patches, as transformers do")
    factor = 1
    for layer in first:
        factor *= layer.stride
    left = first[-1].side_after
    observed = f"{side} pixels a side become {left} after the first {len(first)} layers with a stride"
    expected = f"a quarter of the side or more: strides that multiply to at most {QUARTER}"
    if factor <= QUARTER:
        yield Passed(observed=observed, expected=expected)
        return
    names = " and ".join(f"`{layer.path or layer.operation}` by {layer.stride}" for layer in first)
    yield Finding(
        title=f"Maps of {side} pixels a side are cut to {left} at once",
        message=f"{names} shrink pictures of {side} pixels a side to {left}: {factor} times smaller along each side, "
        "as if they were photographs. Details that tell small pictures apart are gone before they were seen.",
        severity=Severity.INFO,
        confidence=Confidence.LOW,  # a pattern alone; whether it costs anything only a trial could tell
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/strided",),
        fixes=(
            Fix(
                title="Shrink later",
                advice=f"give `{first[0].path or first[0].operation}` a stride of 1 (with a kernel of 3), and leave "
                "pooling to deeper layers",
            ),
        ),
        key="model",
        subject=first[0].path or first[0].operation,
    )
