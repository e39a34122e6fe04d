"""What does one rule answer to this evidence?

Missing evidence is never a pass, and a bug of ours takes no other rule with it.
"""

import logging
from typing import NamedTuple

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.outcome import Measured, NotMeasured, Reason
from diagnoser.records import Record
from rules.registry import Registered
from rules.rule import RECORDS, Finding, NotApplicable, Passed, Unjudged

log = logging.getLogger(__name__)


class Silence(NamedTuple):
    """Neither a finding nor a pass, and why."""

    kind: str  # "unjudged" or "not_applicable"
    reason: str
    because: str


class Reply(NamedTuple):
    """All that one rule said; exactly one of the three is there."""

    rule: Registered
    findings: tuple[Finding, ...] = ()
    passed: tuple[Passed, ...] = ()
    silence: Silence | None = None


def ask(rule: Registered, evidence: Evidence) -> Reply:
    """Give the rule the records that it needs, and take down its answer."""
    given: dict[str, Record | None] = {}
    for need in rule.needs:
        found = record_at(evidence, need.record)
        if isinstance(found, NotMeasured):
            if not need.optional:
                return Reply(rule, silence=Silence("unjudged", found.reason.value, found.because))
            given[need.name] = None
        else:
            given[need.name] = found
    try:
        answers = tuple(rule.check(**given))
    except NotApplicable as answer:
        return Reply(rule, silence=Silence("not_applicable", "", str(answer)))
    except Unjudged as answer:
        return Reply(rule, silence=Silence("unjudged", Reason.UNSUPPORTED.value, str(answer)))
    except Exception as error:
        log.exception("rule %s failed", rule.id)
        return _our_bug(rule, f"our rule failed ({type(error).__name__}: {error})")
    findings = tuple(answer for answer in answers if isinstance(answer, Finding))
    passed = tuple(answer for answer in answers if isinstance(answer, Passed))
    if findings:
        return Reply(rule, findings=findings)
    if passed:
        return Reply(rule, passed=passed)
    log.error("rule %s gave no answer", rule.id)
    return _our_bug(rule, "our rule gave no answer")


def record_at(evidence: Evidence, kind: type[Record]) -> Record | NotMeasured:
    """The record of this kind, or why there is none."""
    node: object = evidence
    for part in RECORDS[kind].split("/")[1:]:
        node = getattr(node, part)
    if isinstance(node, Measured):
        node = node.value
    assert isinstance(node, Record)
    return node


def _our_bug(rule: Registered, because: str) -> Reply:
    return Reply(rule, silence=Silence("unjudged", Reason.ENGINE_ERROR.value, f"{because}; please report it"))
