"""Does the loop stop the device at every step to read a number from it?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.findings import Confidence, Fix, Severity
from rules import own_loop
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The loop reads from the device at every step",
    why="Each number that is read waits until the device has done all it was told, which then stands still.",
    since="0.1",
    references=("https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html",),
)
MOST_COPIES = 3.0  # a step (CATALOGUE): loss, metric, and the check of a gradient scaler
MOST_WAITING = 0.1  # of the loop's time (CATALOGUE)


def check(loop: LoopAudit) -> Iterator[Finding | Passed]:
    own_loop.require_loop(loop)
    copies, waiting = loop.host_copies_per_step, loop.host_wait_share
    if copies is None:
        raise Unjudged("the loop made no step, or could not be run under this instrument")
    if waiting is None:
        raise NotApplicable("the run is on a CPU, where a number is read without waiting")
    observed = f"{copies:.1f} copies to the host a step, and {waiting:.0%} of the time spent waiting in them"
    expected = f"at most {MOST_COPIES:g} copies, or {MOST_WAITING:.0%} of the time"
    if copies <= MOST_COPIES or waiting <= MOST_WAITING:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"{copies:.0f} copies from the device to the host at every step",
        message=f"Your loop reads {copies:.1f} tensors a step on the host (`.item()`, `.cpu()`, `print`), and spends "
        f"{waiting:.0%} of its time waiting for them.",
        severity=Severity.INFO,
        confidence=Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/loop/value/host_copies_per_step",
            "/steps/preflight/loop/value/host_wait_share",
        ),
        fixes=(
            Fix(
                title="Read numbers every n steps",
                advice="add up `loss.detach()` on the device, and call `.item()` once in 50 steps or once an epoch",
            ),
        ),
        key="loop",
    )
