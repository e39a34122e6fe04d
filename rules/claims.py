"""What may a finding claim, given what was tried? A hint becomes a warning when its fix was verified."""

from statistics import fmean
from typing import NamedTuple

from diagnoser.evidence.steps import Treatment, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from rules import confirmation

MATTERS = 0.02
"""Two percentage points of accuracy or R²: less is the user's choice, not a fault (CATALOGUE, epochs)."""
MATTERS_RELATIVE = 0.05
"""The same for losses and metrics without a scale of their own: 5 % of the untreated value."""


class Claim(NamedTuple):
    """Severity and confidence of a hint, and a sentence about what trying its fix showed."""

    severity: Severity
    confidence: Confidence
    state: FixState
    words: str

    @property
    def verified(self) -> bool:
        """Whether a fix was clearly better, by enough to matter."""
        return self.severity is not Severity.INFO


def claim(treatments: Treatments | None, *fixes: Fix, least: float | None = None) -> Claim:
    """A warning of high confidence when one of the fixes was verified; else a hint of low confidence.

    With `least`, a verified gain counts only above that many points of a share metric (or 5 % of any other).
    """
    state = confirmation.state(treatments, *fixes)
    for fix in fixes:
        treatment = confirmation.find(treatments, fix)
        if treatment is None or confirmation.compare(treatment).state is not FixState.VERIFIED:
            continue
        if least is None or _gains(treatment, least):
            return Claim(Severity.WARNING, Confidence.HIGH, state, f" Tried: {_words(treatment)}.")
    return Claim(Severity.INFO, Confidence.LOW, state, "")


def _gains(treatment: Treatment, least: float) -> bool:
    pairs = [(a, b) for a, b in zip(treatment.before, treatment.after, strict=True) if a is not None and b is not None]
    if treatment.metric in confirmation.SHARES and pairs:
        return fmean(after - before for before, after in pairs) > least
    difference = confirmation.compare(treatment).difference
    if difference is None:
        return True  # every run failed without it and none with it
    known = [abs(v) for v in (treatment.before if pairs else treatment.before_loss) if v is not None]
    is_loss = treatment.metric == "loss" or not pairs
    start = abs(treatment.start_loss or 0.0) if is_loss else 0.0
    return not known or difference > max(MATTERS_RELATIVE * fmean(known), least * start)


def _words(treatment: Treatment) -> str:
    shown = confirmation.compare(treatment)
    return f"{shown.before} became {shown.after}" if shown.before and shown.after else shown.note
