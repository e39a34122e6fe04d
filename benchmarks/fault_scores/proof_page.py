"""What does `docs/proof.md` say? A table for each category, and what remains to be shown, in plain words."""

from collections.abc import Sequence
from datetime import date

from benchmarks.fault_scores.results import Result
from benchmarks.fault_scores.sightings import Seen, Sighting
from rules.registry import CATEGORIES

MOST_SHOWN = 3  # programs in one cell
INTRODUCTION = """\
# Rules seen at work

A rule that was only ever shown made-up numbers is a promise. Here every rule is held against real programs: each was
diagnosed from its `diagnose.yaml` to its findings, just as you run yours, and the truth about it was known beforehand.
The page is made by a command from those diagnoses; nobody writes in it.

    make proof

{programs} This page was made on {day}.

* **Proven** is a rule that spoke on a faulty program, or gave a hint on a healthy one. {proven} of {rules} rules are.
* **Unproven** is a rule that never did, or only as a false alarm. Its tests pass, but on evidence that we made up.

How often the diagnosis as a whole is right stands in [Benchmarks](benchmarks.md); what the words mean, in
[The rules, and how to read them](rules.md).

## How to read a row

*Spoke on* names faulty programs as corpus/case, at most {shown} of them, with the severity and the confidence of the
finding and its place in the report: *first* is the primary finding, a *cause* stands beside it, a *symptom* is
explained by another finding. A tick: the truth about the program names this very rule. Without one the finding may
be right all the same: a program that trains badly has many symptoms. A ring: the program is one of those that were
kept aside while the rules were written.

The last three columns count healthy programs: on how many the rule looked and was *silent*, gave a *hint* (`info`), or
raised an *alarm* (a warning or an error), which is a mistake. A hint with a tick was asked for: nothing is wrong with
the program, but this is worth a line. Healthy programs that the rule had no question for, or that it could not judge,
are not counted.
"""
HEAD = "| rule | proof | spoke on | silent | hint | alarm |\n|---|---|---|---|---|---|"
UNPROVEN = """\
## Unproven, and yet may say more than a hint

Our own law is that a rule without proof says `info` and never more. These may raise a warning or an error, and no real
program has shown them at work: what stands behind them is a definition or a theory, and a test on made-up evidence.
Where one of them speaks, look twice, and tell us.
"""
ONLY_HINTED = """\
## Proven as a hint only

These may raise a warning or an error as well. On real programs they have only ever said `info`, so that their graver
words are as unproven as those above.
"""
NONE = "None.\n"


def page(every: Sequence[Seen], results: Sequence[Result], *, day: date) -> str:
    """Write the whole page."""
    introduction = INTRODUCTION.format(
        programs=_programs(results),
        day=day.isoformat(),
        proven=sum(one.proven for one in every),
        rules=len(every),
        shown=MOST_SHOWN,
    )
    tables = [
        f"## {category}\n\n{HEAD}\n" + "".join(_row(one) for one in every if one.category == category)
        for category in CATEGORIES
        if any(one.category == category for one in every)
    ]
    unproven = [one for one in every if not one.proven and one.says_more_than_info]
    only_hinted = [one for one in every if one.only_hinted]
    return "\n".join([introduction, *tables, UNPROVEN, _list(unproven), ONLY_HINTED, _list(only_hinted)])


def _programs(results: Sequence[Result]) -> str:
    counted = []
    for corpus in dict.fromkeys(result.case.corpus for result in results):
        mine = [result.case.faulty for result in results if result.case.corpus == corpus]
        counted.append(f"`{corpus}/` ({sum(mine)} faulty, {len(mine) - sum(mine)} healthy)")
    failed = sum(bool(result.failure) for result in results)
    lost = f" Runs that failed, and so show nothing: {failed}." if failed else ""
    return f"{len(results)} programs were run: {' and '.join(counted)}.{lost}"


def _row(one: Seen) -> str:
    proof = "proven" if one.proven else "**unproven**"
    cells = (f"`{one.rule}`", proof, _spoke(one.spoke), str(one.silent), _hints(one), _alarms(one.alarmed))
    return f"| {' | '.join(cells)} |\n"


def _spoke(sightings: Sequence[Sighting]) -> str:
    shown = "; ".join(
        f"`{one.program}`{' ○' if one.held_out else ''} {one.severity}, {one.confidence}, {one.role}"
        f"{' ✓' if one.named else ''}"
        for one in sightings[:MOST_SHOWN]
    )
    more = len(sightings) - MOST_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _hints(one: Seen) -> str:
    """Count the hints, and name those that the truth asks for."""
    right = [name for name in one.hinted if name in one.expected]
    return f"{len(one.hinted)}: {', '.join(f'`{name}` ✓' for name in right)}" if right else str(len(one.hinted))


def _alarms(programs: Sequence[str]) -> str:
    if not programs:
        return "0"
    return f"**{len(programs)}**: {', '.join(f'`{program}`' for program in programs)}"


def _list(every: Sequence[Seen]) -> str:
    if not every:
        return NONE
    return "".join(f"* `{one.rule}` ({one.category}): {_because(one)}\n" for one in every)


def _because(one: Seen) -> str:
    """Say what was seen of it instead."""
    if one.alarmed:
        return f"it spoke only on healthy programs, wrongly: {', '.join(f'`{name}`' for name in one.alarmed)}."
    if one.proven:
        return f"it gave a hint on {len(one.spoke)} faulty and {_count(len(one.hinted))}."
    if one.silent:
        return f"it never spoke; it looked at {_count(one.silent)} and was silent."
    return "it never spoke, and had nothing to judge on any healthy program."


def _count(healthy: int) -> str:
    return f"{healthy} healthy program{'' if healthy == 1 else 's'}"
