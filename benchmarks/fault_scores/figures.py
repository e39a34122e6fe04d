"""How often was the program right? The figures of one group of results; each share keeps what it is a share of.

A failed run misses everything on a faulty program; on a healthy one it is left out of the false alarms, and counted
among the failures in both.
"""

import statistics
from collections.abc import Sequence

from benchmarks.fault_scores.repairs import could_be_mended, is_mended, twin_is_known
from benchmarks.fault_scores.results import Result
from benchmarks.fault_scores.shares import Share, share
from diagnoser.records import Record

TAIL = 0.95


class Figures(Record):
    """What is reported of a group."""

    detection: Share  # of the faulty: verdict broken or impaired
    category: Share  # of the faulty: the primary finding has a category that the truth accepts
    any_category: Share  # of the faulty: some error or warning has one
    rule: Share  # of the faulty: the primary finding is of a rule that the truth accepts
    false_alarm: Share  # of the healthy that did not fail: an error or warning of high or medium confidence
    cleared: Share  # of the healthy: verdict healthy
    repaired: Share  # of the faulty: some fix was tried and came back verified
    repaired_where_possible: Share  # of the detected with a fix that a machine can apply: the same
    mended: Share  # of those whose twin is known: a verified fix within two points of the twin
    inconclusive: int
    failures: Share
    timeouts: int
    median_seconds: float | None
    p95_seconds: float | None
    seconds_known: int  # of how many cases


def figures(results: Sequence[Result]) -> Figures:
    """Count everything."""
    faulty = [result for result in results if result.case.faulty]
    healthy = [result for result in results if not result.case.faulty]
    possible = [result for result in faulty if could_be_mended(result)]
    seconds = sorted(result.seconds for result in results if result.seconds is not None)
    return Figures(
        detection=share(result.detected for result in faulty),
        category=share(result.category_hit for result in faulty),
        any_category=share(result.any_category_hit for result in faulty),
        rule=share(result.rule_hit for result in faulty),
        false_alarm=share(result.false_alarm for result in healthy if not result.failure),
        cleared=share(result.verdict == "healthy" for result in healthy),
        repaired=share(result.repaired for result in faulty),
        repaired_where_possible=share(result.repaired for result in possible),
        mended=share(is_mended(result) for result in possible if twin_is_known(result)),
        inconclusive=sum(result.verdict == "inconclusive" for result in results),
        failures=share(bool(result.failure) for result in results),
        timeouts=sum(result.failure == "timeout" for result in results),
        median_seconds=statistics.median(seconds) if seconds else None,
        p95_seconds=seconds[max(0, round(TAIL * len(seconds)) - 1)] if seconds else None,
        seconds_known=len(seconds),
    )
