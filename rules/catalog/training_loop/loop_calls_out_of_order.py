"""Are the calls of a training step made in an order that has the effect they are meant to have?"""

from collections.abc import Iterator, Sequence

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import own_loop
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loop's calls are out of order",
    why="Each call works on what the one before left: in another order it works on nothing, or on the wrong thing.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/optim.html",),
)
POINTER = "/steps/preflight/loop/value/order"
RIGHT = "zero_grad, forward, backward, clip, step, scheduler"


def check(loop: LoopAudit, curves: Curves | None) -> Iterator[Finding | Passed]:
    own_loop.require_loop(loop)
    order = loop.order
    if "step" not in order or "backward" not in order:
        raise Unjudged("in the first two batches your loop did not call both `backward` and `step`")
    findings = [
        finding
        for finding in (_cleared_too_early(loop, curves), _clipped_in_vain(order), _scheduled_too_early(order))
        if finding is not None
    ]
    yield from findings
    if not findings:
        yield Passed(observed=", ".join(order), expected=RIGHT)


def _cleared_too_early(loop: LoopAudit, curves: Curves | None) -> Finding | None:
    """`zero_grad` between `backward` and every `step`; the control is that no gradient was left to compare."""
    steps = [_before(loop.order, index) for index, event in enumerate(loop.order) if event == "step"]
    in_vain = [calls for calls in steps if "zero_grad" in calls and "backward" not in calls[calls.index("zero_grad") :]]
    wiped = [calls for calls in in_vain if "backward" in calls]
    if len(wiped) < len(steps) or loop.gradient_cosine is not None:
        return None
    return _finding(
        title="Gradients are cleared before the step uses them",
        said="`zero_grad` stands between `backward` and `step`: every step is made with a gradient of zero.",
        severity=Severity.ERROR,
        loop=loop.order,
        line="call `optimizer.zero_grad()` before `loss.backward()`, not after it",
        explains=("optimizer-not-stepped", *own_loop.effects(curves)),
        subject="zero_grad",
    )


def _clipped_in_vain(order: Sequence[str]) -> Finding | None:
    """No step has a clip between its backward and itself, though there are clips."""
    if "clip" not in order:
        return None
    steps = [_before(order, index) for index, event in enumerate(order) if event == "step"]
    after_backward = [calls[_last(calls, "backward") + 1 :] for calls in steps]
    if any("clip" in calls for calls in after_backward):
        scaled = any("clip" in c and "unscale" in c[c.index("clip") :] for c in after_backward)
        if not scaled:
            return None
        said = "the gradients are clipped while they are still scaled up: the limit is off by the loss scale."
        line = "call `scaler.unscale_(optimizer)` before `clip_grad_norm_`"
    else:
        said = "gradients are clipped after `step` or before `backward`, where clipping changes no update."
        line = "call `clip_grad_norm_` between `loss.backward()` and `optimizer.step()`"
    return _finding(
        title="Gradient clipping has no effect" if "no update" in said else "Scaled gradients are clipped",
        said=said,
        severity=Severity.WARNING,
        loop=order,
        line=line,
        subject="clip",
    )


def _scheduled_too_early(order: Sequence[str]) -> Finding | None:
    if "scheduler" not in order or order.index("scheduler") > order.index("step"):
        return None
    return _finding(
        title="The scheduler steps before the optimizer",
        said="`scheduler.step()` comes before the first `optimizer.step()`: the schedule loses its first value.",
        severity=Severity.WARNING,
        loop=order,
        line="call `scheduler.step()` after `optimizer.step()`",
        subject="scheduler",
    )


def _finding(
    *,
    title: str,
    said: str,
    severity: Severity,
    loop: Sequence[str],
    line: str,
    subject: str,
    explains: tuple[str, ...] = (),
) -> Finding:
    seen = ", ".join(loop)
    return Finding(
        title=title,
        message=f"In your loop {said} The order seen: {seen}.",
        severity=severity,
        confidence=Confidence.HIGH,  # recorded call by call
        observed=seen,
        expected=RIGHT,
        evidence=(POINTER,),
        fixes=(own_loop.REFERENCE, Fix(title="Put the calls in order", advice=line)),
        explains=explains,
        key="loop",
        subject=subject,
        by_definition=True,
    )


def _before(order: Sequence[str], index: int) -> list[str]:
    """The events since the step before."""
    start = _last(order[:index], "step") + 1
    return list(order[start:index])


def _last(order: Sequence[str], event: str) -> int:
    """Index of the last such event; -1 when there is none."""
    return max((index for index, name in enumerate(order) if name == event), default=-1)
