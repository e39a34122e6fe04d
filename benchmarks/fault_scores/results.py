"""What did the program say about a case, and is it right? Reads the folders that runs leave behind.

Beside `diagnosis.json` a run leaves `run.json`: what the case is, how long it took, and how it failed if it did. A
folder without one (of another scorer) is read all the same; its seconds are then those that the diagnosis tells of.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.fault_scores.cases import Case
from diagnoser.records import Record

RUN, DIAGNOSIS = "run.json", "diagnosis.json"
ALARMING = frozenset({"error", "warning"})
SURE = frozenset({"high", "medium"})
DETECTED = frozenset({"broken", "impaired"})


class Settings(Record):
    """How the program was asked; results under other settings are no answer to the same question."""

    preset: str
    budget: str
    seed: int | None = None  # None: the spec's own


class Ended(Record):
    """How a run ended: the content of `run.json`."""

    case: Case
    program: str  # a hash of the case's files
    settings: Settings
    seconds: float
    failure: str | None = None  # "timeout" or "exit 3"


class FixTried(Record):
    """A fix that a finding proposes, and the validation metric with it where it was tried."""

    can_be_tried: bool
    state: str
    metric: str | None = None
    after: float | None = None  # mean over seeds; None: not tried, or a run with it failed


class Found(Record):
    """One finding."""

    rule: str
    category: str
    severity: str
    confidence: str
    explained: bool
    fixes: tuple[FixTried, ...] = ()

    @property
    def alarms(self) -> bool:
        return self.severity in ALARMING


class Result(Record):
    """One case and what was said about it."""

    case: Case
    seconds: float | None = None
    failure: str | None = None
    verdict: str | None = None
    primary_rule: str | None = None
    primary_category: str | None = None
    findings: tuple[Found, ...] = ()
    passed: tuple[str, ...] = ()  # rules that looked and found all well
    treatment_seconds: float | None = None  # what trying the fixes took

    @property
    def alarms(self) -> tuple[Found, ...]:
        return tuple(found for found in self.findings if found.alarms)

    @property
    def detected(self) -> bool:
        return self.verdict in DETECTED

    @property
    def category_hit(self) -> bool:
        return self.primary_category in self.case.categories

    @property
    def any_category_hit(self) -> bool:
        return any(found.category in self.case.categories for found in self.alarms)

    @property
    def rule_hit(self) -> bool:
        return self.primary_rule in self.case.rules

    @property
    def false_alarm(self) -> bool:
        return not self.case.faulty and any(found.confidence in SURE for found in self.alarms)

    @property
    def fixes(self) -> tuple[FixTried, ...]:
        return tuple(fix for found in self.findings for fix in found.fixes)

    @property
    def repaired(self) -> bool:
        return any(fix.state == "verified" for fix in self.fixes)

    @property
    def remark(self) -> str:
        """What to tell about the case, in one word or two."""
        if self.failure:
            return self.failure
        if not self.case.faulty:
            return "FALSE ALARM" if self.false_alarm else "ok"
        if self.category_hit:
            return "rule" if self.rule_hit else "category"
        if self.any_category_hit:
            return "not first"
        return "wrong" if self.detected else "MISSED"


def read(case: Case, folder: Path) -> Result:
    """Read what a run left in its folder; a diagnosis that cannot be read is a failure."""
    ended = read_ended(folder)
    if ended is not None and ended.failure:
        return Result(case=case, seconds=ended.seconds, failure=ended.failure)
    seconds = None if ended is None else ended.seconds
    try:
        diagnosis = json.loads((folder / DIAGNOSIS).read_text(encoding="utf-8"))
        return of_diagnosis(case, diagnosis, seconds=seconds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Result(case=case, seconds=seconds, failure=f"unreadable: {type(error).__name__}")


def read_ended(folder: Path) -> Ended | None:
    """Read how the run of this folder ended; None where nobody wrote it down."""
    try:
        return Ended.model_validate_json((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def of_diagnosis(case: Case, diagnosis: dict[str, Any], *, seconds: float | None) -> Result:
    """Take from a diagnosis what is scored."""
    findings: list[dict[str, Any]] = list(diagnosis.get("findings") or [])
    primary = _primary(diagnosis.get("primary"), findings)
    used = (diagnosis.get("run") or {}).get("used_seconds")
    treated = (diagnosis.get("steps") or {}).get("treatments") or {}
    tried = (treated.get("value") or {}).get("treatments") or []
    return Result(
        case=case,
        seconds=used if seconds is None else seconds,
        verdict=str(diagnosis["verdict"]),
        primary_rule=primary.get("rule"),
        primary_category=primary.get("category"),
        findings=tuple(_found(finding, tried) for finding in findings),
        passed=tuple(dict.fromkeys(entry["rule"] for entry in diagnosis.get("passed") or [])),
        treatment_seconds=treated.get("seconds") if tried else None,
    )


def _primary(named: str | None, findings: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Find what `primary` names, by its id, its fingerprint or its rule."""
    if named is None:
        return {}
    for key in ("id", "fingerprint", "rule"):
        for finding in findings:
            if finding.get(key) == named:
                return finding
    return {"rule": named}


def _found(finding: dict[str, Any], tried: Iterable[dict[str, Any]]) -> Found:
    return Found(
        rule=finding["rule"],
        category=finding["category"],
        severity=finding["severity"],
        confidence=finding["confidence"],
        explained=bool(finding.get("explained_by")),
        fixes=tuple(_fix(fix, tried) for fix in finding.get("fixes") or []),
    )


def _fix(fix: dict[str, Any], tried: Iterable[dict[str, Any]]) -> FixTried:
    mine = next((treatment for treatment in tried if _what(treatment) == _what(fix)), None)
    return FixTried(
        can_be_tried=bool(fix.get("patch") or fix.get("transforms")),
        state=fix.get("state", "untested"),
        metric=None if mine is None else mine.get("metric"),
        after=None if mine is None else _mean(mine.get("after") or []),
    )


def _what(fix: dict[str, Any]) -> tuple[object, ...]:
    """Say what a fix or a treatment does."""
    return fix.get("patch") or {}, sorted(fix.get("transforms") or ())


def _mean(values: Iterable[float | str | None]) -> float | None:
    """Give the mean; our files write a number that is not finite as a word."""
    numbers = [math.nan if value is None else float(value) for value in values]
    return sum(numbers) / len(numbers) if numbers and all(map(math.isfinite, numbers)) else None
