"""Has a real program shown this rule at work? One that none has shown says `info` and never more: the fourth law.

The answers stand in `proven.json`, which `python -m benchmarks.proof --ledger` writes from whole diagnoses of programs
whose faults are known. Nobody writes in it: a rule's own tests are made-up evidence and prove nothing.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from diagnoser.findings import Severity
from diagnoser.records import Record
from rules.asking import Reply

LEDGER = "proven.json"


class Proof(Record):
    """One real program that a rule spoke on, and what it said there."""

    case: str  # corpus/case
    severity: Severity
    named: bool  # the truth about the program names this very rule


_PROOFS = TypeAdapter(dict[str, Proof])


@cache
def proofs() -> Mapping[str, Proof]:
    """One proof for each rule that has any. Raises FileNotFoundError where the package was built without them."""
    return read(resources.files("rules").joinpath(LEDGER).read_text(encoding="utf-8"))


def read(text: str) -> Mapping[str, Proof]:
    """Read a ledger."""
    return _PROOFS.validate_json(text)


def written(found: Mapping[str, Proof]) -> str:
    """Write a ledger: a line for each rule, so that a change shows which rules it is about."""
    lines = ",\n".join(f'"{rule}": {found[rule].model_dump_json()}' for rule in sorted(found))
    return f"{{\n{lines}\n}}\n"


def within_proof(reply: Reply, *, proven: Mapping[str, Proof]) -> Reply:
    """Give the reply of a rule, no graver than real programs have shown it may be."""
    said = tuple(
        one.model_copy(update={"severity": allowed(reply.rule.id, one.severity, proven=proven)})
        for one in reply.findings
    )
    return reply._replace(findings=said)


def allowed(rule: str, severity: Severity, *, proven: Mapping[str, Proof]) -> Severity:
    """Give what a rule may say at most."""
    return severity if rule in proven else Severity.INFO
