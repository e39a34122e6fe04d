"""How does a diagnosis read in a pull request? Verdict first, details collapsed, short enough to be kept whole."""

import re

from diagnoser.findings import Diagnosis, Finding, FixState, Severity
from reports import view

LIMIT = 60_000  # surface.md 6: a comment is cut at 64 KB
MOST_FINDINGS = 10
MOST_DIFF_LINES = 40
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def render(diagnosis: Diagnosis) -> str:
    """Headings start at level 3, so that it fits under another page's own."""
    found = view.ranked(diagnosis)
    alone = [f for f in found if not f.explained_by]
    lines = [f"### {_text(diagnosis.spec.name)}: {view.headline(diagnosis)}", "", _text(diagnosis.scope), ""]
    for finding in alone[:MOST_FINDINGS]:
        lines += _finding(finding, is_primary=finding.id == diagnosis.primary)
    hidden = len(found) - len(alone[:MOST_FINDINGS])
    if hidden:
        lines += [f"{hidden} more findings, explained by these or of less weight, are in the report.", ""]
    lines += ["<details><summary>What passed, and what could not be judged</summary>", ""]
    lines += [f"- passed: {', '.join(rule.rule for rule in diagnosis.passed) or 'none'}"]
    lines += [f"- could not be judged: {', '.join(rule.rule for rule in diagnosis.unjudged) or 'none'}"]
    lines += [f"- ignored: {rule.rule} ({_text(rule.reason)})" for rule in diagnosis.ignored]
    lines += ["", "</details>", "", f"`{diagnosis.run.command.replace('`', '')}`", ""]
    text = "\n".join(lines)
    return text if len(text) <= LIMIT else text[:LIMIT] + "\n\n(cut; the rest is in the report)\n"


def _finding(finding: Finding, *, is_primary: bool) -> list[str]:
    mark = "**Fix this first.** " if is_primary else ""
    open_ = " open" if is_primary or finding.severity is Severity.ERROR else ""
    lines = [
        f"<details{open_}><summary><b>{finding.severity.value}</b>: {_text(finding.title)}</summary>",
        "",
        f"{mark}{_text(finding.message)}",
        "",
        f"- observed: {_text(finding.observed)}",
        f"- expected: {_text(finding.expected)}",
        f"- rule: `{finding.rule}`, {finding.confidence.value} confidence",
        "",
    ]
    for fix in finding.fixes:
        change = f": {_text(fix.before)} to {_text(fix.after)}" if fix.before and fix.after else ""
        state = "" if fix.state is FixState.UNTESTED else f" ({view.STATES[fix.state]})"
        share = f". {_text(view.share(fix))}" if fix.together else ""
        again = "".join(f". {_text(words)}" for words in view.again(fix))
        lines += [f"Fix{state}: {_text(fix.title)}{change}{share}{again}", ""]
        if fix.diff:
            lines += ["```diff", *fix.diff.replace("```", "'''").splitlines()[:MOST_DIFF_LINES], "```", ""]
    return [*lines, "</details>", ""]


def _text(text: str) -> str:
    """User text with nothing that Markdown or HTML would act on."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
