"""Are small pictures made much smaller before the network has looked at them?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.trials import Transform
from rules import claims
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
EFFECTS = ("capacity-too-small", "small-set-not-memorised", "underfitting", "loss-plateaus")


def check(model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
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
    layers = "layer" if len(first) == 1 else f"{len(first)} layers"
    observed = f"{side} pixels a side become {left} after the first {layers} with a stride"
    expected = f"a quarter of the side or more: strides that multiply to at most {QUARTER}"
    if factor <= QUARTER:
        yield Passed(observed=observed, expected=expected)
        return
    fix = Fix(
        title="Shrink later",
        transforms=(Transform.FULL_RESOLUTION,),
        advice=f"give `{first[0].path or first[0].operation}` a stride of 1 (with a kernel of 3), and leave pooling to "
        "deeper layers",
    )
    claim = claims.claim(treatments, fix)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; a first stride of 1 was tried and is not better", expected=expected)
        return
    names = " and ".join(f"`{layer.path or layer.operation}` by {layer.stride}" for layer in first)
    yield Finding(
        title=f"Maps of {side} pixels a side are cut to {left} at once",
        message=f"{names} shrink pictures of {side} pixels a side to {left}: {factor} times smaller along each side, "
        "as if they were photographs. Details that tell small pictures apart are gone before they were seen."
        + claim.words,
        severity=claim.severity,  # a pattern alone: whether it costs anything the trial tells
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/strided",),
        fixes=(fix,),
        explains=EFFECTS if claim.verified else (),
        key="model",
        subject=first[0].path or first[0].operation,
    )
