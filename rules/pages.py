"""What does the page of a rule say? A title and six sections, in one order."""

import re
from importlib import resources

from diagnoser.records import Record
from rules.registry import Registered
from rules.rule import RuleDefinitionError

SECTIONS = (
    "What it sees",
    "Why it matters",
    "How to fix",
    "Where the threshold comes from",
    "Known false alarms",
    "References",
)
FENCE = re.compile(r"^(```|~~~)")


class Page(Record):
    """A rule's page, cut into its sections."""

    title: str
    sections: dict[str, str]  # heading -> Markdown
    text: str  # the whole, as written


def page(rule: Registered) -> Page:
    """Read the page beside the rule; from a wheel as from a checkout."""
    return parse(resources.files(rule.package).joinpath(rule.page).read_text(encoding="utf-8"), name=rule.page)


def parse(text: str, *, name: str) -> Page:
    """Cut a page at its headings. Raises RuleDefinitionError when one is missing, empty, unknown or out of order."""
    title = ""
    sections: dict[str, list[str]] = {}
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        if not fenced and line.startswith("# "):
            title = line.removeprefix("# ").strip()
        elif not fenced and line.startswith("## "):
            sections[line.removeprefix("## ").strip()] = []
        elif sections:
            sections[next(reversed(sections))].append(line)
    if not title:
        raise RuleDefinitionError(f"{name}: the page has no title")
    if tuple(sections) != SECTIONS:
        raise RuleDefinitionError(f"{name}: sections are {', '.join(sections)}; they should be {', '.join(SECTIONS)}")
    bodies = {heading: "\n".join(lines).strip() for heading, lines in sections.items()}
    if empty := [heading for heading, body in bodies.items() if not body]:
        raise RuleDefinitionError(f"{name}: nothing stands under {', '.join(empty)}")
    return Page(title=title, sections=bodies, text=text)
