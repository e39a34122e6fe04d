"""What follows from the evidence? Every rule is asked once; a pure function, with no torch, clock, disk or network."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.outcome import Measured, Reason
from diagnoser.findings import (
    Confidence,
    Diagnosis,
    Finding,
    Fix,
    FixState,
    IgnoredRule,
    Location,
    NotApplicableRule,
    PassedRule,
    UnjudgedRule,
)
from diagnoser.spec.fields import Ignore, SpecSource
from rules import proven, remeasured
from rules import rule as rules_of
from rules.asking import Reply, ask
from rules.fixes import all_refuted, settled, united
from rules.links import ALL_SYMPTOMS, COMPARATIVE, SYMPTOMS, Node, explained_by
from rules.primary import ORDER_OF_CURES, cures, ordered, primary
from rules.registry import Registered, rules
from rules.spoils import spoiled
from rules.verdict import scope, verdict

LOWER = {Confidence.HIGH: Confidence.MEDIUM, Confidence.MEDIUM: Confidence.LOW, Confidence.LOW: Confidence.LOW}


class _Judged(NamedTuple):
    """One finding on its way to the user, beside what its rule said."""

    finding: Finding
    said: rules_of.Finding


def judge(evidence: Evidence, *, catalogue: Sequence[Registered] | None = None) -> Diagnosis:
    """Judge what was measured, treatments included; `catalogue` is that of the package unless a test brings its own."""
    asked = rules() if catalogue is None else catalogue
    replies = [ask(rule, evidence) for rule in asked]
    if catalogue is None:  # CATALOGUE, fourth law: the rules of a test have no programs to their name
        replies = [proven.within_proof(reply, proven=proven.proofs()) for reply in replies]
    kept, ignored = _without_ignored(_findings(replies, evidence), evidence)
    claims = {judged.finding.id: judged.said.explains for judged in kept}
    again = remeasured.seen([judged.finding for judged in kept], evidence, asked, explains=claims)
    findings = tuple(remeasured.shown(finding, again, evidence) for finding in _linked(kept, again))
    root = primary(findings)
    passed, unjudged = _passed(replies, findings)
    word = verdict(findings, evidence)
    return Diagnosis(
        **{name: getattr(evidence, name) for name in Evidence.model_fields},
        verdict=word,
        scope=scope(evidence, word),
        primary=root,
        findings=ordered(findings, first=root),
        passed=passed,
        unjudged=(*_unjudged(replies), *unjudged),
        not_applicable=_not_applicable(replies),
        ignored=ignored,
    )


def draft(evidence: Evidence, *, catalogue: Sequence[Registered] | None = None) -> tuple[Finding, ...]:
    """The findings before anything was tried, the primary one first: their fixes are what to try."""
    return judge(evidence, catalogue=catalogue).findings


def fingerprint(rule: str, key: str | None, subject: str | None) -> str:
    """Name a finding across runs: no values, no line numbers, no class names."""
    said = json.dumps([rule, key, subject])
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _findings(replies: Sequence[Reply], evidence: Evidence) -> tuple[_Judged, ...]:
    outcome = evidence.steps.treatments
    treatments = outcome.value if isinstance(outcome, Measured) else None
    named = [
        (reply.rule.id if number == 1 else f"{reply.rule.id}#{number}", reply.rule, said)
        for reply in replies
        for number, said in enumerate(reply.findings, start=1)
    ]
    alone = {
        name: tuple(settled(fix, evidence, treatments, rule=rule.id, subject=said.subject) for fix in said.fixes)
        for name, rule, said in named
    }
    together = united(alone, evidence, treatments)
    return tuple(
        _Judged(_finding(name, rule, said, evidence=evidence, fixes=alone[name] + together.get(name, ())), said)
        for name, rule, said in named
    )


def _finding(
    name: str, rule: Registered, said: rules_of.Finding, *, evidence: Evidence, fixes: tuple[Fix, ...]
) -> Finding:
    doubted = all_refuted(fixes) and not said.by_definition
    return Finding(
        id=name,
        rule=rule.id,
        category=rule.category,
        severity=said.severity,
        confidence=LOWER[said.confidence] if doubted else said.confidence,
        title=said.title or rule.rule.title,
        why=rule.rule.why,
        message=said.message,
        observed=said.observed,
        expected=said.expected,
        evidence=said.evidence,
        location=_location(said, evidence.spec_source),
        fixes=fixes,
        fingerprint=fingerprint(rule.id, said.key, said.subject),
        docs=f"rules/{rule.id}",
    )


def _location(said: rules_of.Finding, source: SpecSource) -> Location:
    """Where it stands in the spec: the line of the key, or of the nearest section round it."""
    parts = said.key.split(".") if said.key else []
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    line = next((source.lines[name] for name in names if name in source.lines), None)
    return Location(file=source.file if source.text else None, line=line, key=said.key, subject=said.subject)


def _without_ignored(
    found: Sequence[_Judged], evidence: Evidence
) -> tuple[tuple[_Judged, ...], tuple[IgnoredRule, ...]]:
    """What the user does not accept, and what they do; an ignore that matched nothing, or expired, says so."""
    kept = list(found)
    ignored = []
    for ignore in evidence.spec.rules.ignore:
        if not _applies(ignore, evidence.run.created):
            reason = f"{ignore.reason} (expired: {ignore.expires})"
            ignored.append(IgnoredRule(rule=ignore.rule, reason=reason))
            continue
        matched = [judged for judged in kept if judged.finding.rule == ignore.rule]
        kept = [judged for judged in kept if judged.finding.rule != ignore.rule]
        prints: list[str | None] = [judged.finding.fingerprint for judged in matched]
        ignored.extend(
            IgnoredRule(rule=ignore.rule, reason=ignore.reason, fingerprint=name) for name in prints or [None]
        )
    return tuple(kept), tuple(ignored)


def _applies(ignore: Ignore, created: str) -> bool:
    """Up to and including the day on which it expires; a date that cannot be read hides nothing."""
    if ignore.expires is None:
        return True
    try:
        return date.fromisoformat(created[:10]) <= date.fromisoformat(ignore.expires[:10])
    except ValueError:
        return False


def _linked(kept: Sequence[_Judged], again: Sequence[remeasured.Seen]) -> tuple[Finding, ...]:
    """The findings with their causes; a cause whose cure was tried in vain explains nothing.

    One whose verified cure brings most explains the symptoms as well, for with the cure the same run does learn; and
    what only says that another setting does better, unless that was verified beside the cure. Of two whose cures were
    tried together, what adds to the other one is no effect of it, and what adds nothing is one. What a step shows that
    was measured again under a cure stands above all of it: a symptom that is gone was its effect, and a finding that is
    still there was not.
    """
    findings = tuple(judged.finding for judged in kept)
    by_cures = sorted(kept, key=lambda judged: (ORDER_OF_CURES.index(judged.finding.category), judged.finding.id))
    own = _beside(findings, FixState.VERIFIED)
    by_definition = {judged.finding.rule for judged in kept if judged.said.by_definition}
    effects = {(cause, rule) for cause, rule in _beside(findings, FixState.REFUTED) if rule not in by_definition}
    comparative = tuple(rule for rule in COMPARATIVE if rule not in by_definition)
    links = remeasured.states(again)
    symptoms = {finding.id: finding.rule for finding in findings if finding.rule in ALL_SYMPTOMS}
    causes = explained_by(
        Node(
            id=finding.id,
            rule=finding.rule,
            explains=tuple(
                effect
                for effect in (
                    *said.explains,
                    *(SYMPTOMS if _cures_most(finding, findings) else ()),
                    *(comparative if finding.rule not in COMPARATIVE and _cures_most(finding, findings) else ()),
                    *(rule for cause, rule in effects if cause == finding.id and _adds(finding)),
                    *(
                        rule
                        for name, rule in symptoms.items()
                        if links.get((finding.id, name)) is FixState.VERIFIED and finding.id not in symptoms
                    ),
                )
                if (finding.id, effect) not in own
            ),
            refuted=all_refuted(finding.fixes) and not said.by_definition,
            withdrawn=frozenset(
                other for (cause, other), state in links.items() if cause == finding.id and state is FixState.REFUTED
            ),
        )
        for finding, said in by_cures
    )
    return tuple(finding.model_copy(update={"explained_by": causes[finding.id]}) for finding, _ in kept)


def _cures_most(finding: Finding, findings: Sequence[Finding]) -> bool:
    return finding.rule not in SYMPTOMS and cures(finding, findings)


def _beside(findings: Sequence[Finding], state: FixState) -> frozenset[tuple[str, str]]:
    """Each finding (its rule) whose part was tried beside that of another one (its id), with this outcome."""
    return frozenset(
        (other, finding.rule)
        for finding in findings
        for fix in finding.fixes
        if fix.together is not None and fix.together.state is state
        for other in fix.together.others
    )


def _adds(finding: Finding) -> bool:
    """Whether the cure of a finding was needed beside that of another one."""
    return any(fix.together is not None and fix.together.state is FixState.VERIFIED for fix in finding.fixes)


def _passed(
    replies: Sequence[Reply], findings: Sequence[Finding]
) -> tuple[tuple[PassedRule, ...], tuple[UnjudgedRule, ...]]:
    """What passed, and what only seemed to."""
    passed: list[PassedRule] = []
    unjudged: list[UnjudgedRule] = []
    for reply in (reply for reply in replies if reply.passed):
        name, title = reply.rule.id, reply.rule.rule.title
        because = spoiled(name, findings)
        if because is not None:
            unjudged.append(UnjudgedRule(rule=name, title=title, reason=Reason.DEPENDENCY.value, because=because))
            continue
        passed.extend(
            PassedRule(rule=name, title=title, observed=answer.observed, expected=answer.expected)
            for answer in reply.passed
        )
    return tuple(passed), tuple(unjudged)


def _unjudged(replies: Sequence[Reply]) -> tuple[UnjudgedRule, ...]:
    return tuple(
        UnjudgedRule(
            rule=reply.rule.id,
            title=reply.rule.rule.title,
            reason=reply.silence.reason,
            because=reply.silence.because,
        )
        for reply in replies
        if reply.silence is not None and reply.silence.kind == "unjudged"
    )


def _not_applicable(replies: Sequence[Reply]) -> tuple[NotApplicableRule, ...]:
    return tuple(
        NotApplicableRule(rule=reply.rule.id, title=reply.rule.rule.title, because=reply.silence.because)
        for reply in replies
        if reply.silence is not None and reply.silence.kind == "not_applicable"
    )
