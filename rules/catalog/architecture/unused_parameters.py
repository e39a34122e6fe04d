"""Are there parameters that never get a gradient?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Parameters take no part in the loss",
    why="A trainable parameter without a gradient is memory without use, and often a layer that was never wired in.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html",),
)
WORTH_A_LINE = 0.01  # of all trainable parameters (CATALOGUE)
MUCH = 0.10  # CATALOGUE: a warning from here on
SHOWN = 5


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    share = model.unused_share
    observed = f"{share:.1%} of the trainable parameters have no gradient"
    expected = f"at most {WORTH_A_LINE:.0%}"
    if share <= WORTH_A_LINE or not model.unused:
        yield Passed(observed=observed, expected=expected)
        return
    names = ", ".join(model.unused[:SHOWN])
    names += f" and {len(model.unused) - SHOWN} more" if len(model.unused) > SHOWN else ""
    yield Finding(
        title=f"{share:.0%} of the parameters take no part in the loss",
        message=f"{names}: the gradient is missing or exactly 0 on eight batches, also after an update. "
        f"That is {share:.0%} of the trainable parameters.",
        severity=Severity.WARNING if share > MUCH else Severity.INFO,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/unused", "/steps/preflight/model/value/unused_share"),
        fixes=(Fix(title="Wire them in, or remove them", advice=f"look where `forward` should use {model.unused[0]}"),),
        key="model",
        subject=model.unused[0],
    )
