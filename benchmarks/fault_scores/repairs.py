"""Does a verified fix really mend the program? Its validation metric is held against that of the healthy twin."""

from collections.abc import Iterable

from benchmarks.fault_scores.results import FixTried, Result
from diagnoser.records import Record

POINTS = 0.02  # two points of accuracy or R²
HAS_POINTS = frozenset({"accuracy", "balanced_accuracy", "f1", "r2"})
"""Metrics whose best value is 1; of a loss nobody knows what two points are."""
STATES = ("verified", "inconclusive", "refuted", "untested")  # the nearest to a cure first


class Unmended(Record):
    """A detected program with a fix to try that nothing mended, and the fix that came nearest."""

    program: str  # corpus/case
    rule: str
    state: str
    metric: str | None
    after: float | None  # mean over seeds; None: not tried, or a run failed
    twin: float | None


def could_be_mended(result: Result) -> bool:
    """Whether the fault was detected and some finding has a fix that a machine can apply."""
    return result.case.faulty and result.detected and any(fix.can_be_tried for fix in result.fixes)


def unmended(results: Iterable[Result]) -> tuple[Unmended, ...]:
    """List the programs with a fix to try and no verified one, or none that reaches the twin."""
    found = []
    for result in results:
        if not could_be_mended(result) or (is_mended(result) if twin_is_known(result) else result.repaired):
            continue
        tried = [(finding.rule, fix) for finding in result.findings for fix in finding.fixes if fix.can_be_tried]
        rule, fix = min(tried, key=lambda one: (STATES.index(one[1].state), -(one[1].after or 0.0)))
        found.append(
            Unmended(
                program=f"{result.case.corpus}/{result.case.id}",
                rule=rule,
                state=fix.state,
                metric=fix.metric,
                after=fix.after,
                twin=result.case.twin,
            )
        )
    return tuple(found)


def twin_is_known(result: Result) -> bool:
    """Whether the twin was measured, in a metric that has points."""
    return result.case.twin is not None and result.case.metric in HAS_POINTS


def is_mended(result: Result) -> bool:
    """Whether some verified fix brings the program to its twin."""
    return any(fix.state == "verified" and _reaches_twin(result, fix) for fix in result.fixes)


def _reaches_twin(result: Result, fix: FixTried) -> bool:
    """At most two points below the twin; where the fault flatters the metric, not above it either."""
    twin = result.case.twin
    if twin is None or fix.after is None or fix.metric != result.case.metric:
        return False
    missing = twin - fix.after
    return abs(missing) <= POINTS if result.case.effect == "silent" else missing <= POINTS
