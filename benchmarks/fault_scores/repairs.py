"""Does a verified fix really mend the program? Its validation metric is held against that of the healthy twin."""

from benchmarks.fault_scores.results import FixTried, Result

POINTS = 0.02  # two points of accuracy or R²
HAS_POINTS = frozenset({"accuracy", "balanced_accuracy", "f1", "r2"})
"""Metrics whose best value is 1; of a loss nobody knows what two points are."""


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
