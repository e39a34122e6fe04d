"""Does the user's loop train on all batches that it is given?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import own_loop
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loop trains on few of its batches",
    why="Rows that are never drawn, or drawn and never learned from, might as well not be there.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader",),
)
MOST = 0.9  # of the batches (CATALOGUE)


def check(loop: LoopAudit, curves: Curves | None) -> Iterator[Finding | Passed]:
    own_loop.require_loop(loop)
    if loop.error is not None:
        raise Unjudged(f"your loop raised {loop.error.kind} before it could be counted: {loop.error.message}")
    given, drawn, learned = loop.batches_given, loop.batches_drawn, loop.backwards
    if not given:
        raise Unjudged("your loop was given no batches")
    observed = f"{drawn} of {given} batches drawn, {learned} backward passes"
    expected = f"at least {MOST:.0%} of the batches drawn and learned from"
    if loop.repeated_batch:
        said = "draws the same batch again and again"
        line = "iterate with `for batch in batches:`; `next(iter(batches))` begins anew each time"
    elif drawn < MOST * given:
        said = f"draws {drawn} of the {given} batches that it is given"
        line = "iterate over all batches: look for an early `break` or `return`"
    elif learned < MOST * drawn:
        said = f"calls `backward` for {learned} of the {drawn} batches that it draws"
        line = "indent `loss.backward()` so that it belongs to the body of the loop"
    else:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"Your loop {said}",
        message=f"In one epoch your loop {said}.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # counted
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/loop/value/batches_given",
            "/steps/preflight/loop/value/batches_drawn",
            "/steps/preflight/loop/value/backwards",
        ),
        fixes=(own_loop.REFERENCE, Fix(title="Use every batch", advice=line)),
        explains=own_loop.effects(curves),
        key="loop",
        by_definition=True,
    )
