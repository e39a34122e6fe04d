"""What does a check answer to these records? Matched to its parameters by type, as the engine does.

finding = fired(check, make.initial_loss(observed=(9.0,) * 5))
silent(check, make.initial_loss())
"""

import json
from functools import cache

from diagnoser.records import Record
from rules.rule import RECORDS, Answer, Check, Finding, NotApplicable, Passed, Unjudged, needs
from tests.helpers import make


def judge(check: Check, *records: Record) -> tuple[Answer, ...]:
    """All answers of a check; what it raises (NotApplicable, Unjudged) passes through.

    An optional record that is not given is None. The answers' pointers are resolved in a whole evidence.
    """
    given = {type(record): record for record in records}
    wanted = needs(check)
    for need in wanted:
        assert need.optional or need.record in given, f"{check.__module__} needs a {need.record.__name__}"
    unused = set(given) - {need.record for need in wanted}
    assert not unused, f"{check.__module__} does not ask for {', '.join(kind.__name__ for kind in unused)}"
    answers = tuple(check(**{need.name: given.get(need.record) for need in wanted}))
    for answer in answers:
        if isinstance(answer, Finding):
            _pointers_resolve(answer, records)
    return answers


def fired(check: Check, *records: Record) -> Finding:
    """The first finding; there must be one."""
    return all_fired(check, *records)[0]


def all_fired(check: Check, *records: Record) -> tuple[Finding, ...]:
    """Every finding; there must be one."""
    answers = judge(check, *records)
    findings = tuple(answer for answer in answers if isinstance(answer, Finding))
    assert findings, f"no finding, but {answers}"
    return findings


def silent(check: Check, *records: Record) -> str:
    """`passed`, `not_applicable` or `unjudged`: anything but a finding."""
    try:
        answers = judge(check, *records)
    except NotApplicable:
        return "not_applicable"
    except Unjudged:
        return "unjudged"
    findings = [answer.message for answer in answers if isinstance(answer, Finding)]
    assert not findings, f"it fired: {findings}"
    assert any(isinstance(answer, Passed) for answer in answers), "neither a finding nor Passed: silence is no answer"
    return "passed"


def _pointers_resolve(finding: Finding, records: tuple[Record, ...]) -> None:
    assert finding.evidence, f"no evidence: {finding.message}"
    replaced = {RECORDS[type(record)]: record.model_dump_json() for record in records}
    for pointer in finding.evidence:
        assert resolves(pointer, replaced), f"{pointer} points at nothing in the evidence"


def resolves(pointer: str, replaced: dict[str, str]) -> bool:
    """Whether a JSON Pointer finds something, in these records (by place, as JSON) or else in the healthy evidence."""
    place = next((place for place in replaced if pointer == place or pointer.startswith(f"{place}/")), None)
    if place is None:
        return found_in(_healthy(), pointer)
    record = json.loads(replaced[place])
    root = record if place == "/spec" else {"value": record}
    return found_in(root, pointer.removeprefix(place))


def found_in(node: object, pointer: str) -> bool:
    """Whether a JSON Pointer (RFC 6901) finds something in parsed JSON."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            return False
    return True


@cache
def _healthy() -> object:
    loaded: object = json.loads(make.evidence().model_dump_json())
    return loaded
