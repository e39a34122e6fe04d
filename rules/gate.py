"""May this change go in? Plain functions over one diagnosis and, if there is one, an earlier one (DESIGN 8)."""

from collections.abc import Sequence
from typing import Literal

from diagnoser.findings import Confidence, Diagnosis, Finding, Severity, Verdict
from diagnoser.records import Record
from diagnoser.spec.fields import Gate
from rules.primary import CONFIDENCES, SEVERITIES
from rules.verdict import WORDS, user_code_failed

PASSED, FAILED, USER_CODE_FAILED, INCONCLUSIVE = 0, 1, 3, 5


class NotGated(Record):
    """A finding that does not stop the change, and why."""

    id: str
    fingerprint: str
    because: str


class GateResult(Record):
    """What the gate says, and what it left aside."""

    outcome: Literal["passed", "failed", "inconclusive"]
    exit_code: int  # 0 passed, 1 failed, 3 the user's code raised, 5 inconclusive and strict
    because: str  # in one sentence
    mode: str
    compared: bool  # with a baseline
    blocking: tuple[Finding, ...]
    new: tuple[str, ...]  # fingerprints that the baseline does not have
    fixed: tuple[str, ...]  # fingerprints that only the baseline has, and whose rule was judged now
    unchanged: tuple[str, ...]
    not_gated: tuple[NotGated, ...]
    warnings: tuple[str, ...]
    words: tuple[str, ...]  # all of the above for a terminal, line by line


def gate(diagnosis: Diagnosis, baseline: Diagnosis | None = None, *, strict: bool = False) -> GateResult:
    """Compare with the limits of the spec's `gate` section; without a baseline every finding is new."""
    limits = diagnosis.spec.gate
    before = {finding.fingerprint for finding in baseline.findings} if baseline is not None else set()
    now = tuple(dict.fromkeys(finding.fingerprint for finding in diagnosis.findings))
    reasons = {finding.id: _spared(finding, limits, baseline) for finding in diagnosis.findings}
    blocking = tuple(finding for finding in diagnosis.findings if reasons[finding.id] is None)
    failed_steps = user_code_failed(diagnosis)
    outcome, exit_code, because = _outcome(diagnosis, blocking, failed_steps, strict=strict)
    return GateResult(
        outcome=outcome,
        exit_code=exit_code,
        because=because,
        mode=limits.mode,
        compared=baseline is not None,
        blocking=blocking,
        new=tuple(name for name in now if name not in before),
        fixed=_fixed(diagnosis, baseline),
        unchanged=tuple(name for name in now if name in before),
        not_gated=tuple(
            NotGated(id=finding.id, fingerprint=finding.fingerprint, because=reason)
            for finding in diagnosis.findings
            if (reason := reasons[finding.id]) is not None
        ),
        warnings=(warnings := _warnings(diagnosis, baseline)),
        words=(
            f"gate {outcome}: {because}",
            *(f"  {finding.severity} {finding.id}: {finding.message}" for finding in blocking),
            *(
                f"  not gated: {finding.id}: {reason}"
                for finding in diagnosis.findings
                if (reason := reasons[finding.id])
            ),
            *(f"  ignored: {entry.rule}: {entry.reason}" for entry in diagnosis.ignored if entry.fingerprint),
            *(f"  warning: {warning}" for warning in warnings),
        ),
    )


def _spared(finding: Finding, limits: Gate, baseline: Diagnosis | None) -> str | None:
    """Why this finding does not stop the change; None when it does."""
    if limits.mode == "report-only" or limits.fail_on == "never":
        return "the gate only reports"
    fail_on = Severity(limits.fail_on)
    if limits.mode == "new" and baseline is None:
        fail_on = Severity.ERROR  # without a baseline nobody knows which warnings are old
    if not _reaches(finding, fail_on, Confidence(limits.min_confidence)):
        return (
            f"{finding.severity} of {finding.confidence} confidence; "
            f"the gate fails on {fail_on} of {limits.min_confidence} confidence or more"
        )
    if limits.mode == "new" and baseline is not None:
        known = [old for old in baseline.findings if old.fingerprint == finding.fingerprint]
        if any(_reaches(old, fail_on, Confidence(limits.min_confidence)) for old in known):
            return "it is in the baseline too"
    return None


def _reaches(finding: Finding, severity: Severity, confidence: Confidence) -> bool:
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(severity) and (
        CONFIDENCES.index(finding.confidence) <= CONFIDENCES.index(confidence)
    )


def _outcome(
    diagnosis: Diagnosis, blocking: Sequence[Finding], failed_steps: Sequence[str], *, strict: bool
) -> tuple[Literal["passed", "failed", "inconclusive"], int, str]:
    limits = diagnosis.spec.gate
    if blocking:
        names = ", ".join(finding.id for finding in blocking)
        return (
            "failed",
            FAILED,
            f"{len(blocking)} {'finding stops' if len(blocking) == 1 else 'findings stop'} it: {names}",
        )
    if limits.mode == "report-only" or limits.fail_on == "never":
        return "passed", PASSED, "the gate only reports"
    if failed_steps:
        names = ", ".join(WORDS.get(name, name) for name in failed_steps)
        return "inconclusive", USER_CODE_FAILED, f"your code failed in: {names}"
    if diagnosis.verdict is Verdict.INCONCLUSIVE:
        return "inconclusive", INCONCLUSIVE if strict else PASSED, f"nothing stops it, but it is {diagnosis.scope}"
    return "passed", PASSED, "nothing stops it"


def _fixed(diagnosis: Diagnosis, baseline: Diagnosis | None) -> tuple[str, ...]:
    """What the baseline had and a rule that was asked again no longer sees; unjudged or ignored is not fixed."""
    if baseline is None:
        return ()
    silent = {entry.rule for entry in diagnosis.unjudged} | {
        entry.rule for entry in diagnosis.ignored if entry.fingerprint
    }
    now = {finding.fingerprint for finding in diagnosis.findings}
    gone = (old.fingerprint for old in baseline.findings if old.fingerprint not in now and old.rule not in silent)
    return tuple(dict.fromkeys(gone))


def _warnings(diagnosis: Diagnosis, baseline: Diagnosis | None) -> tuple[str, ...]:
    """Ignores that hide nothing, and what makes the two hard to compare."""
    said = [
        f"the ignore of {entry.rule} matches nothing: {entry.reason}"
        for entry in diagnosis.ignored
        if entry.fingerprint is None
    ]
    if baseline is None:
        if diagnosis.spec.gate.mode == "new":
            said.append("there is no baseline, so every error counts as new")
        return tuple(said)
    if baseline.run.preset != diagnosis.run.preset:
        said.append(f"the baseline was made with preset {baseline.run.preset}, this run with {diagnosis.run.preset}")
    if baseline.engine_version != diagnosis.engine_version:
        said.append(
            f"the baseline was made by version {baseline.engine_version}, this run by {diagnosis.engine_version}"
        )
    unjudged = {entry.rule: entry.because for entry in diagnosis.unjudged}
    said.extend(
        f"{rule} was found in the baseline and could not be judged now: {unjudged[rule]}"
        for rule in dict.fromkeys(old.rule for old in baseline.findings)
        if rule in unjudged
    )
    return tuple(said)
