"""How does a CI server read a diagnosis? JUnit XML: one case per rule, skipped where it could not be judged."""

import re
from xml.etree import ElementTree as ET

from diagnoser.findings import Diagnosis, Finding, Severity

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 does not allow, not even escaped."""


def render(diagnosis: Diagnosis) -> str:
    """Errors and warnings are failures, hints are passes with a note; the gate, not this file, decides the build."""
    found: dict[str, list[Finding]] = {}
    for finding in diagnosis.findings:
        found.setdefault(finding.rule, []).append(finding)
    cases = [_finding_case(rule, findings) for rule, findings in found.items()]
    cases += [_case(p.rule, "passed", note=f"observed: {p.observed}; expected: {p.expected}") for p in diagnosis.passed]
    cases += [_case(u.rule, u.reason, skipped=u.because) for u in diagnosis.unjudged]
    cases += [_case(n.rule, "not_applicable", skipped=n.because) for n in diagnosis.not_applicable]
    cases += [_case(i.rule, "ignored", skipped=f"ignored: {i.reason}") for i in diagnosis.ignored if i.fingerprint]
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    suite = ET.Element(
        "testsuite",
        name=_clean(f"diagnoser: {diagnosis.spec.name}"),
        tests=str(len(cases)),
        failures=str(failures),
        errors="0",
        skipped=str(skipped),
        time=f"{diagnosis.run.used_seconds:.1f}",
        timestamp=diagnosis.run.created,
    )
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _finding_case(rule: str, findings: list[Finding]) -> ET.Element:
    grave = [f for f in findings if f.severity is not Severity.INFO]
    text = "\n\n".join(f"{f.title}\n{f.message}\nobserved: {f.observed}\nexpected: {f.expected}" for f in findings)
    case = _case(rule, findings[0].category, note=None if grave else text)
    if grave:
        failure = ET.SubElement(case, "failure", message=_clean(grave[0].title), type=grave[0].severity.value)
        failure.text = _clean(text)
    return case


def _case(rule: str, group: str, *, note: str | None = None, skipped: str | None = None) -> ET.Element:
    case = ET.Element("testcase", name=_clean(rule), classname=_clean(f"diagnoser.{group}"))
    if skipped is not None:
        ET.SubElement(case, "skipped", message=_clean(skipped))
    if note is not None:
        ET.SubElement(case, "system-out").text = _clean(note)
    return case


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
