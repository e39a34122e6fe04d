"""Where was a rule seen at work? Its findings on real programs, and its silence on healthy ones."""

from collections.abc import Sequence
from typing import Literal

from benchmarks.fault_scores.results import Found, Result
from diagnoser.findings import Severity
from diagnoser.records import Record
from rules.proven import Proof

Role = Literal["first", "cause", "symptom"]
"""`first`: the primary finding; `cause`: no other finding explains it; `symptom`: another one does."""
GRAVITY = ("error", "warning", "info")
SURENESS = ("high", "medium", "low")
ROLES: tuple[Role, ...] = ("first", "cause", "symptom")


class Sighting(Record):
    """One real program on which the rule spoke, with the gravest of what it said there."""

    program: str  # corpus/case
    severity: str
    confidence: str
    role: Role
    named: bool  # the truth about the program names this rule
    held_out: bool


class Seen(Record):
    """One rule on all programs."""

    rule: str
    category: str
    says_more_than_info: bool
    spoke: tuple[Sighting, ...]  # on faulty programs; the most telling first
    silent: int  # healthy programs on which it looked and found all well
    hinted: tuple[str, ...]  # healthy programs on which it said `info`; those where that was expected first
    expected: tuple[str, ...]  # healthy programs about which the truth names this rule as a hint
    alarmed: tuple[str, ...]  # healthy programs on which it said more

    @property
    def proven(self) -> bool:
        """Whether a real program has shown it at work; a false alarm shows nothing."""
        return bool(self.spoke or self.hinted)

    @property
    def only_hinted(self) -> bool:
        """Whether it may say more than info and has never been seen to, where that was right to say."""
        return self.proven and self.says_more_than_info and all(one.severity == "info" for one in self.spoke)

    @property
    def proof(self) -> Proof | None:
        """The most telling of these programs; None: unproven."""
        if self.spoke:
            first = self.spoke[0]
            return Proof(case=first.program, severity=Severity(first.severity), named=first.named)
        if self.hinted:
            return Proof(case=self.hinted[0], severity=Severity.INFO, named=self.hinted[0] in self.expected)
        return None


def sightings(results: Sequence[Result], *, rule: str, category: str, says_more_than_info: bool) -> Seen:
    """Look for a rule in every result."""
    spoke: list[Sighting] = []
    hinted: list[str] = []
    alarmed: list[str] = []
    silent = 0
    expected = tuple(_name(result) for result in results if rule in result.case.hints)
    for result in results:
        found = [one for one in result.findings if one.rule == rule]
        if result.case.faulty:
            spoke.extend(_sighting(result, found))
        elif any(one.alarms for one in found):
            alarmed.append(_name(result))
        elif found:
            hinted.append(_name(result))
        elif rule in result.passed:
            silent += 1
    return Seen(
        rule=rule,
        category=category,
        says_more_than_info=says_more_than_info,
        spoke=tuple(sorted(spoke, key=_telling)),
        silent=silent,
        hinted=tuple(sorted(hinted, key=lambda program: program not in expected)),
        expected=expected,
        alarmed=tuple(alarmed),
    )


def _sighting(result: Result, found: Sequence[Found]) -> tuple[Sighting, ...]:
    if not found:
        return ()
    gravest = min(found, key=lambda one: (one.explained, GRAVITY.index(one.severity), SURENESS.index(one.confidence)))
    is_first = result.primary_rule == gravest.rule
    return (
        Sighting(
            program=_name(result),
            severity=gravest.severity,
            confidence=gravest.confidence,
            role="first" if is_first else "symptom" if gravest.explained else "cause",
            named=gravest.rule in result.case.rules,
            held_out=result.case.held_out,
        ),
    )


def _telling(one: Sighting) -> tuple[object, ...]:
    return (
        not one.named,
        ROLES.index(one.role),
        GRAVITY.index(one.severity),
        SURENESS.index(one.confidence),
        one.program,
    )


def _name(result: Result) -> str:
    return f"{result.case.corpus}/{result.case.id}"
