"""Does the loss fall at any learning rate?"""

from collections.abc import Iterator
from math import log10

from diagnoser.evidence.preflight import Assumptions, Baselines
from diagnoser.evidence.steps import InitialLoss, LrScan, Overfit
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules import learnable, rates, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="No learning rate lowers the loss",
    why="When the loss stands still at every step size, the step size is not what is wrong.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#sanitycheck",),
)
DECADES = 4.0  # of learning rates (CATALOGUE)
UPDATES = 100  # a point: shorter scans prove nothing
FALLS = 0.05  # of the initial loss, as the scan counts it
LOW_START = 0.5  # of the loss of a guess: a pretrained model has little left to fall
SIGNAL = 5.0  # standard errors of a simple model above chance: there is something to learn


def check(
    assumptions: Assumptions,
    scan: LrScan,
    initial: InitialLoss | None,
    overfit: Overfit | None,
    baselines: Baselines | None,
) -> Iterator[Finding | Passed]:
    expected = f"a loss that falls by {FALLS:.0%} somewhere"
    if scan.falls_from is not None:
        yield Passed(observed=f"it falls from lr {scan.falls_from:g} on", expected=expected)
        return
    lrs = sorted(point.lr for point in scan.points)
    decades = log10(lrs[-1] / lrs[0]) if len(lrs) > 1 else 0.0
    if scan.updates < UPDATES or decades < DECADES:
        raise Unjudged(f"the scan is too short: {scan.updates} updates over {decades:.1f} decades of learning rates")
    start = user_runs.middle(initial.observed) if initial is not None else None
    if start is not None and initial is not None and initial.chance and start < LOW_START * initial.chance:
        raise Unjudged(f"the loss starts at {start:.3g}, far below that of a guess: there is little left to fall")
    plain = rates.plain_attempts(overfit)
    memorised = any(attempt.memorised for attempt in plain)
    stuck = bool(plain) and all(rates.failed(attempt) for attempt in plain)
    signal = _signal(baselines, higher_is_better=assumptions.higher_is_better)
    sure = (stuck or signal) and not memorised and assumptions.task is not Task.CUSTOM
    falls = [share for point in scan.points if (share := rates.fall(point)) is not None]
    most = max(falls, default=0.0)
    observed = f"at most {max(most, 0.0):.1%} lower, at {len(lrs)} learning rates from {lrs[0]:g} to {lrs[-1]:g}"
    reasons = [
        words
        for holds, words in (
            (stuck, " The small set is not learned either."),
            (signal, " A simple model does learn from the same rows."),
            (memorised, " A few rows alone are learned, so look at the data as a whole."),
        )
        if holds
    ]
    yield Finding(
        message=f"In {scan.updates} updates the loss is {observed}.{''.join(reasons)}",
        severity=Severity.ERROR if sure else Severity.INFO,
        confidence=(Confidence.HIGH if stuck and signal else Confidence.MEDIUM) if sure else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/lr_scan/value/points",),
        fixes=(
            Fix(
                title="Look at the wiring, not at the learning rate",
                advice="at the data with its labels, the loss with its output activation, and the gradient's way back",
            ),
        ),
        explains=("nothing-learned",) if sure else (),
        key="optimizer.lr",
    )


def _signal(baselines: Baselines | None, *, higher_is_better: bool) -> bool:
    """Whether a simple model or the reference network is far better than a guess on validation."""
    if baselines is None:
        return False
    sign = 1.0 if higher_is_better else -1.0
    best = learnable.best(baselines, sign=sign)
    return best is not None and sign * (best[1] - baselines.chance) > SIGNAL * baselines.standard_error
