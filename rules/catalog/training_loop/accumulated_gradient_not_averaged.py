"""Does accumulating batches make the gradient as many times larger?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit, OptimizerProfile
from diagnoser.evidence.steps import Curves, LrScan, Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import claims, own_loop
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Accumulated gradients are summed, not averaged",
    why="The sum over k batches is k times the gradient of one large batch: the learning rate is k times what it says.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation",),
)
NEAR = (0.8, 1.2)  # times k (CATALOGUE)
SCALE_FREE = ("adam", "adagrad", "rmsprop", "rprop", "adadelta", "adafactor", "lion", "muon")
"""These divide by the size of the gradient: a constant factor cancels."""


def check(
    *,
    spec: TrainingSpec,
    loop: LoopAudit,
    optimizer: OptimizerProfile | None,
    scan: LrScan | None,
    curves: Curves | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    own_loop.require_loop(loop)
    batches = round(loop.backwards / loop.steps) if loop.steps else spec.accumulate_batches
    if batches < 2:
        raise NotApplicable("your loop steps after each batch")
    ratio = loop.accumulation_ratio
    if ratio is None:
        raise Unjudged("the accumulated gradient could not be compared with that of the batches together")
    observed = f"{ratio:.2g} times the mean gradient of the {batches} batches together"
    expected = "once that gradient"
    if not NEAR[0] * batches <= ratio <= NEAR[1] * batches:
        yield Passed(observed=observed, expected=expected)
        return
    if optimizer is not None and any(name in optimizer.name.lower() for name in SCALE_FREE):
        yield Passed(observed=f"{observed}; {optimizer.name} divides by the gradient's size", expected=expected)
        return
    claim = claims.claim(treatments, own_loop.REFERENCE)
    edge = scan.diverges_from if scan is not None else None
    lr = spec.optimizer.lr
    hurt = edge is not None and lr < edge <= lr * batches
    severity, confidence = claim.severity, claim.confidence
    if hurt and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM
    yield Finding(
        title=f"{batches} accumulated batches give {ratio:.2g} times the gradient",
        message=f"Your loop adds up {batches} batches without dividing: the gradient is {observed}, so your lr {lr:g} "
        f"works like {lr * batches:g}." + (f" From {edge:g} on the scan diverges." if hurt else "") + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/loop/value/accumulation_ratio",),
        fixes=(own_loop.REFERENCE, Fix(title="Divide the loss", advice=f"`(loss / {batches}).backward()`")),
        explains=own_loop.effects(curves) if severity is Severity.WARNING else (),
        key="loop",
        by_definition=True,
    )
