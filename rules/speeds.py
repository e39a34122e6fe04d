"""Is a device clearly faster with another batch or precision, and does validation stay as good?"""

from statistics import fmean, median

from diagnoser.evidence.batch_size import Speed, Throughput
from diagnoser.evidence.preflight import SystemProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Fix
from diagnoser.records import is_finite
from rules import confirmation
from rules.rule import NotApplicable, Unjudged

FEWEST_ROUNDS = 2
"""What was timed once has no spread (CATALOGUE, second law)."""


def measured(system: SystemProfile) -> Throughput:
    """What the device does in a second. Raises NotApplicable on a CPU, Unjudged where it was not timed."""
    if system.device == "cpu":
        raise NotApplicable("the run is on a CPU; only an accelerator is asked")
    if system.throughput is None:
        raise Unjudged("the steps of this run could not be timed one beside another")
    return system.throughput


def gains(speed: Speed | None, than: Speed) -> tuple[float, ...]:
    """Rows in a second over those of the other one, in each round; none where one of them did not fit."""
    if speed is None:
        return ()
    rounds = zip(speed.seconds, than.seconds, strict=False)
    return tuple(speed.batch_size / new / (than.batch_size / old) for new, old in rounds if new > 0 and old > 0)


def faster(speed: Speed | None, than: Speed, *, times: float) -> bool:
    """Whether it is at least so many times faster in each round. Raises Unjudged when it is, in the only round."""
    found = gains(speed, than)
    if not found or min(found) < times:
        return False
    if len(found) < FEWEST_ROUNDS:
        raise Unjudged("it was timed only once; one round proves nothing")
    return True


def usual(found: tuple[float, ...]) -> float:
    """The median of the rounds."""
    return median(found)


def tried(treatments: Treatments | None, fix: Fix) -> str:
    """What trying it did to validation, as a sentence; empty when it was not tried, or failed to tell."""
    treatment = confirmation.find(treatments, fix)
    shown = confirmation.compare(treatment) if treatment is not None else None
    if shown is None or not shown.before or not shown.after:
        return ""
    return f" Tried: {shown.before} became {shown.after}."


def clearly_worse(treatments: Treatments | None, fix: Fix) -> bool:
    """Whether validation lost with it: beyond what seeds differ by, and by more than the smallest effect that counts.

    A faster step need not be better: as good is enough, and `refuted`, the answer to "is it better?", is no reproach.
    """
    treatment = confirmation.find(treatments, fix)
    if treatment is None:
        return False
    shown = confirmation.compare(treatment)
    if shown.interval is None or shown.difference is None:
        return False
    known = [abs(value) for value in treatment.before if value is not None and is_finite(value)]
    relative = treatment.metric not in confirmation.SHARES and known
    least = confirmation.LEAST_RELATIVE * fmean(known) if relative else confirmation.LEAST_SHARE
    return shown.interval[1] < 0 and shown.difference <= -least
