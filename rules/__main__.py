"""The judge as a program: `python -E -P -m rules judge evidence.json`. A file or `-` in, JSON out."""

import argparse
import gc
import json
import sys
from difflib import get_close_matches
from pathlib import Path

from diagnoser.errors import DiagnoserError, UsageError

OUR_BUG = 4


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is that of DESIGN 8."""
    given = _parser().parse_args(arguments)
    from rules.rule import RuleDefinitionError

    try:
        return int(given.run(given))
    except DiagnoserError as error:
        print(f"rules: {error}", file=sys.stderr)
        return error.exit_code
    except RuleDefinitionError as error:
        print(f"rules: our own catalogue is wrong: {error}", file=sys.stderr)
        return OUR_BUG


def program() -> int:
    """Run one command in a process of its own: it is over before rubbish matters, and looking for it takes a tenth."""
    gc.disable()
    try:
        return main()
    finally:
        gc.freeze()  # else the interpreter looks through everything once more on its way out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rules", description="Judge what was measured.")
    commands = parser.add_subparsers(required=True, metavar="command")

    judge = commands.add_parser("judge", help="evidence.json in, diagnosis.json out")
    judge.add_argument("evidence")
    judge.add_argument("-o", "--out", default="-")
    judge.set_defaults(run=_judge)

    draft = commands.add_parser("draft", help="the findings before anything was tried, as a JSON list")
    draft.add_argument("evidence")
    draft.add_argument("-o", "--out", default="-")
    draft.set_defaults(run=_draft)

    listing = commands.add_parser("list", help="all rules")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)

    page = commands.add_parser("page", help="the page of one rule, as Markdown")
    page.add_argument("id")
    page.set_defaults(run=_page)

    gate = commands.add_parser("gate", help="may this change go in?")
    gate.add_argument("diagnosis")
    gate.add_argument("--baseline")
    gate.add_argument("--json", action="store_true")
    gate.add_argument("--strict", action="store_true", help="exit 5 when inconclusive")
    gate.set_defaults(run=_gate)
    return parser


def _judge(given: argparse.Namespace) -> int:
    from diagnoser.evidence.reading import read_evidence
    from rules.engine import judge

    _write(given.out, judge(read_evidence(_text(given.evidence))).model_dump_json(indent=1))
    return 0


def _draft(given: argparse.Namespace) -> int:
    from diagnoser.evidence.reading import read_evidence
    from rules.engine import draft

    findings = draft(read_evidence(_text(given.evidence)))
    _write(given.out, "[" + ",\n".join(finding.model_dump_json() for finding in findings) + "]")
    return 0


def _list(given: argparse.Namespace) -> int:
    from rules.registry import rules

    if given.json:
        listed = [
            {
                "id": rule.id,
                "category": rule.category,
                "title": rule.rule.title,
                "why": rule.rule.why,
                "since": rule.rule.since,
                "references": rule.rule.references,
                "replaced_by": rule.rule.replaced_by,
                "needs": [need.record.__name__ for need in rule.needs if not need.optional],
                "docs": f"rules/{rule.id}",
            }
            for rule in rules()
        ]
        print(json.dumps(listed, indent=1))
    else:
        for rule in sorted(rules(), key=lambda rule: (rule.category, rule.id)):
            print(f"{rule.category:<16} {rule.id:<36} {rule.rule.title}")
    return 0


def _page(given: argparse.Namespace) -> int:
    from rules.pages import page
    from rules.registry import find, rules

    rule = find(given.id)
    if rule is None:
        near = get_close_matches(given.id, [known.id for known in rules()], n=1)
        hint = f"did you mean {near[0]}?" if near else "`diagnoser rules` lists them"
        raise UsageError(f"there is no rule {given.id!r}; {hint}")
    print(page(rule).text, end="")
    return 0


def _gate(given: argparse.Namespace) -> int:
    from diagnoser.evidence.reading import read_diagnosis
    from rules.gate import gate

    text = _text(given.diagnosis)
    earlier = _text(given.baseline) if given.baseline else None
    pair = _pair(text)
    if pair is not None:
        text, earlier = pair
    baseline = read_diagnosis(earlier) if earlier is not None else None
    result = gate(read_diagnosis(text), baseline, strict=given.strict)
    print(result.model_dump_json(indent=1) if given.json or pair else "\n".join(result.words))
    return 0 if pair else result.exit_code


def _pair(text: str) -> tuple[str, str | None] | None:
    """`{"diagnosis": ..., "baseline": ... or null}`, as the command line hands both over on one stream.

    It reads the exit code in the answer; that of this program then says whether we could answer.
    """
    try:
        data = json.loads(text)
    except ValueError:
        return None
    if not isinstance(data, dict) or set(data) != {"diagnosis", "baseline"}:
        return None
    return json.dumps(data["diagnosis"]), json.dumps(data["baseline"]) if data["baseline"] else None


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: this is not UTF-8 text") from None


def _write(file: str, text: str) -> None:
    if file == "-":
        print(text)
        return
    try:
        Path(file).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(program())
