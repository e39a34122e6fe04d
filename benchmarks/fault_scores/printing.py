"""How are the scores shown? One line per case as it ends, then the tables."""

from collections.abc import Mapping, Sequence

from benchmarks.fault_scores.baselines import Way
from benchmarks.fault_scores.figures import Figures
from benchmarks.fault_scores.repairs import Unmended
from benchmarks.fault_scores.results import Result
from benchmarks.fault_scores.shares import Share
from benchmarks.fault_scores.tables import Agreement, Calibration, Confused, RuleScore
from benchmarks.reporting import number, print_columns, say

ROWS = {
    "detection": "detected, of the faulty (broken or impaired)",
    "category": "category of the primary finding right, of the faulty",
    "any_category": "category of any error or warning right, of the faulty",
    "rule": "rule of the primary finding right, of the faulty",
    "false_alarm": "FALSE ALARMS, of the healthy (sure error or warning)",
    "cleared": "verdict healthy, of the healthy",
    "repaired": "a verified fix, of the faulty",
    "repaired_where_possible": "a verified fix, of the detected with one to try",
    "mended": "... that comes within 2 points of the healthy twin",
    "failures": "crashed, hung or unreadable, of all",
}
"""Field of `Figures` and its words."""


def tell_case(result: Result) -> None:
    """Tell the person who waits how a case went."""
    case = result.case
    truth = "faulty" if case.faulty else "healthy"
    primary = f"{result.primary_rule} ({result.primary_category})" if result.primary_rule else "-"
    seconds = "" if result.seconds is None else f"{result.seconds:6.0f} s"
    where = f"{case.corpus}/{case.id}"
    say(f"{where:28} {truth:8} {result.verdict or '-':13} {primary:52} {result.remark:12} {seconds}")


def figures_table(groups: Mapping[str, Figures]) -> None:
    """Print the figures, a column for each group."""
    rows = [[words, *(cell(getattr(group, field)) for group in groups.values())] for field, words in ROWS.items()]
    rows.append(["inconclusive; timed out", *(f"{one.inconclusive}; {one.timeouts}" for one in groups.values())])
    rows.append(["seconds a case, median / 95th percentile", *map(_seconds, groups.values())])
    print_columns(["share (95 % interval, Wilson), of how many", *groups], rows)


def cell(share: Share) -> str:
    """Write a share with what it is a share of."""
    return f"{share.words()} of {share.of}" if share.of else "-"


def confusion_table(cells: Sequence[Confused]) -> None:
    """Print truth against answer; `4, 1!` are four of which one is wrong."""
    said = sorted({one.said for one in cells})
    counts = {(one.truth, one.said): one for one in cells}
    rows = [
        [truth, *(_count(counts.get((truth, column))) for column in said)]
        for truth in sorted({one.truth for one in cells})
    ]
    print_columns(["truth \\ primary finding", *said], rows)


def rules_table(scores: Sequence[RuleScore]) -> None:
    """Print precision and recall by rule."""
    head = ["rule", "named", "rule right", "category right", "recalled"]
    rows = [
        [one.rule, str(one.named), *(_of(share) for share in (one.right, one.right_category, one.recalled))]
        for one in scores
    ]
    print_columns(head, rows)


def unmended_table(rows: Sequence[Unmended]) -> None:
    """Print what has a fix to try and is not mended."""
    head = ["detected, a fix to try, and not mended", "rule of the nearest", "state", "metric", "after", "twin"]
    print_columns(
        head,
        [[one.program, one.rule, one.state, one.metric or "-", number(one.after), number(one.twin)] for one in rows],
    )


def calibration_table(rows: Sequence[Calibration]) -> None:
    """Print whether confidence is deserved."""
    print_columns(
        ["unexplained errors and warnings called", "right"], [[one.confidence, cell(one.right)] for one in rows]
    )


def agreement_table(found: Agreement) -> None:
    """Print whether the seed matters."""
    rows = [["same verdict", cell(found.verdict)], ["same primary rule", cell(found.primary_rule)]]
    print_columns([f"pairs of seeds of {found.programs} programs", "agree"], rows)


def ways_table(ways: Sequence[Way]) -> None:
    """Print ours beside simpler ways."""
    head = ["on the same cases", "detected", "false alarms", "verified fix", "within 2 points of the twin"]
    rows = [[one.way, *map(cell, (one.detection, one.false_alarm, one.repaired, one.mended))] for one in ways]
    print_columns(head, rows)


def _of(share: Share) -> str:
    return f"{share.hits}/{share.of}" if share.of else "-"


def _count(one: Confused | None) -> str:
    if one is None:
        return ""
    return f"{one.cases}, {one.wrong}!" if one.wrong else str(one.cases)


def _seconds(one: Figures) -> str:
    if one.median_seconds is None or one.p95_seconds is None:
        return "-"
    return f"{one.median_seconds:.1f} / {one.p95_seconds:.1f}"
