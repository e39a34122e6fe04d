"""What should be fixed first? The gravest cause that nothing else explains."""

import math
from collections.abc import Sequence

from diagnoser.findings import Category, Confidence, Finding, FixState, Severity
from rules.links import ancestors

SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)
CONFIDENCES = (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)
ORDER_OF_CURES: tuple[Category, ...] = (
    # Reproducible trials and data: nothing measured on other ground can be trusted.
    "reproducibility",
    "data",
    "labels",
    # The wiring of model, loss and loop.
    "architecture",
    "activation",
    "loss",
    "normalisation",
    "numerical",
    "training-loop",
    # Then what is tuned, the first things first.
    "initialisation",
    "learning-rate",
    "optimizer",
    "batch-size",
    "epochs",
    "regularisation",
    "performance",
)
"""CATALOGUE, *Primary*: the order in which cures matter."""
MOST_OF_THE_GAIN = 0.8
"""A verified cure that brings less than this share of another's gain treats a symptom, or the smaller cause."""


def primary(findings: Sequence[Finding]) -> str | None:
    """The id of the root cause to fix first; None when there is neither an error nor a warning.

    An info is never the root of more than an info: what only it explains stands as a root here.
    """
    grave = {finding.id for finding in findings if finding.severity is not Severity.INFO}
    causes = {finding.id: finding.explained_by for finding in findings}
    roots = [f for f in findings if f.id in grave and not grave & ancestors(f.id, causes)]
    return min(roots, key=lambda finding: rank(finding, findings)).id if roots else None


def gain(finding: Finding) -> float | None:
    """What the best verified fix of a finding brought: the middle of its interval; None where none was verified.

    Infinite where every run failed without it and none with it: a rescue has no interval.
    Of a fix that cures other findings as well only the share of this one counts: what it brings beyond theirs.
    """
    told = [
        (fix.together.state, fix.together.interval) if fix.together else (fix.state, fix.interval)
        for fix in finding.fixes
    ]
    verified = [interval for state, interval in told if state is FixState.VERIFIED]
    return max((sum(interval) / 2 if interval else math.inf for interval in verified), default=None)


def cures(finding: Finding, findings: Sequence[Finding]) -> bool:
    """Whether a fix of this finding was verified, and brings about as much as the best of all."""
    own = gain(finding)
    known = [brought for other in findings if (brought := gain(other)) is not None]
    return own is not None and own >= MOST_OF_THE_GAIN * max(known)


def rank(finding: Finding, findings: Sequence[Finding]) -> tuple[int, int, bool, int, int, str]:
    """Severity, confidence, whether its cure brings most, how much it explains, the order of cures; then the id."""
    falls_short = gain(finding) is not None and not cures(finding, findings)
    causes = {other.id: other.explained_by for other in findings}
    explains = sum(finding.id in ancestors(other.id, causes) for other in findings)
    return (
        SEVERITIES.index(finding.severity),
        CONFIDENCES.index(finding.confidence),
        falls_short,
        -explains,
        ORDER_OF_CURES.index(finding.category),
        finding.id,
    )


def ordered(findings: Sequence[Finding], *, first: str | None) -> tuple[Finding, ...]:
    """The primary finding first, then causes before effects, grave before slight."""
    return tuple(sorted(findings, key=lambda f: (f.id != first, bool(f.explained_by), rank(f, findings))))
