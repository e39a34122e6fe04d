"""What is confused with what, how good is each rule, is confidence deserved, and does the seed matter?"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from benchmarks.fault_scores.results import Result
from benchmarks.fault_scores.shares import Share, share
from diagnoser.records import Record

HEALTHY, NOTHING, FAILED = "(healthy)", "(nothing)", "(failed)"
CONFIDENCES = ("high", "medium", "low")


class Confused(Record):
    """One cell of the confusion table."""

    truth: str  # main category of the truth
    said: str  # category of the primary finding
    cases: int
    wrong: int  # of them, those whose truth does not accept what was said


class RuleScore(Record):
    """One rule, by its unexplained errors and warnings: those that the report puts forward."""

    rule: str
    named: int  # programs on which it raised one
    right: Share  # of these: the truth accepts the rule
    right_category: Share  # of these: the truth accepts its category
    recalled: Share  # of the programs for which the truth accepts it and on which no other accepted rule spoke


class Calibration(Record):
    """Of the unexplained errors and warnings called so, those in a category that the truth accepts."""

    confidence: str
    right: Share


class Agreement(Record):
    """Of all pairs of seeds of the same program, those that agree; a failed run agrees with nothing."""

    programs: int
    verdict: Share
    primary_rule: Share


def confusion(results: Iterable[Result]) -> tuple[Confused, ...]:
    """Count truth against answer, by category; a healthy program's answer is any primary finding."""
    cases: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for result in results:
        truth = result.case.main_category or HEALTHY
        said = FAILED if result.failure else result.primary_category or NOTHING
        cases[truth, said] += 1
        right = result.category_hit if result.case.faulty else said == NOTHING
        wrong[truth, said] += not right
    return tuple(
        Confused(truth=truth, said=said, cases=count, wrong=wrong[truth, said])
        for (truth, said), count in sorted(cases.items())
    )


def by_rule(results: Sequence[Result]) -> tuple[RuleScore, ...]:
    """Score every rule that spoke or should have spoken, by id."""
    named: dict[str, list[Result]] = defaultdict(list)
    wanted: dict[str, list[bool]] = defaultdict(list)
    category: dict[str, str] = {}
    for result in results:
        spoke = {found.rule: found.category for found in result.alarms if not found.explained}
        category |= spoke
        for rule in spoke:
            named[rule].append(result)
        answers = spoke.keys() & set(result.case.rules)
        for rule in result.case.rules:
            if rule in answers or not answers:
                wanted[rule].append(rule in answers)
    return tuple(
        RuleScore(
            rule=rule,
            named=len(named[rule]),
            right=share(rule in result.case.rules for result in named[rule]),
            right_category=share(category[rule] in result.case.categories for result in named[rule]),
            recalled=share(wanted[rule]),
        )
        for rule in sorted(named.keys() | wanted.keys())
    )


def calibration(results: Iterable[Result]) -> tuple[Calibration, ...]:
    """Hold each word of confidence against the truth."""
    said = [
        (found.confidence, found.category in result.case.categories)
        for result in results
        for found in result.alarms
        if not found.explained
    ]
    return tuple(
        Calibration(confidence=word, right=share(right for called, right in said if called == word))
        for word in CONFIDENCES
    )


def agreement(by_seed: Sequence[Sequence[Result]]) -> Agreement:
    """Compare every pair of seeds of each program."""
    same: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for results in by_seed:
        for result in results:
            same[result.case.corpus, result.case.id].append(result)
    pairs = [pair for one in same.values() for pair in combinations(one, 2)]
    return Agreement(
        programs=sum(len(one) > 1 for one in same.values()),
        verdict=share(not _failed(a, b) and a.verdict == b.verdict for a, b in pairs),
        primary_rule=share(not _failed(a, b) and a.primary_rule == b.primary_rule for a, b in pairs),
    )


def _failed(*results: Result) -> bool:
    return any(result.failure for result in results)
