"""What stands in a page of Markdown: fenced blocks, links, headings and code, each with its line."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>[\w-]*)")
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
INLINE = re.compile(r"(?<!`)`(?P<code>[^`\n]+)`(?!`)")
HEADING = re.compile(r"^#{1,6} +(?P<words>.+?) *$")
INDENTED = re.compile(r"^ {4,}(?P<code>\S.*)$")


class Block(NamedTuple):
    """A fenced block."""

    page: Path
    line: int  # of its first line of text, counted from 1
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def compiled(self) -> CodeType:
        """Compile under the page's own line numbers, so that a traceback names `page.md:9`."""
        return compile("\n" * (self.line - 1) + self.text, str(self.page.relative_to(ROOT)), "exec")


class Place(NamedTuple):
    """A piece of a page and where it stands."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.text}"


def pages() -> tuple[Path, ...]:
    """Every page that a reader begins with: the root's and those of `docs`."""
    return (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))


def blocks(page: Path, *languages: str) -> tuple[Block, ...]:
    """The fenced blocks of these languages; without a language, all of them."""
    return tuple(block for block in _blocks(page) if not languages or block.language in languages)


def links(page: Path) -> tuple[Place, ...]:
    """Targets of links and pictures, outside fenced blocks."""
    found = ((number, match["target"]) for number, line in _prose(page) for match in LINK.finditer(line))
    return tuple(Place(page, number, target) for number, target in found)


def inline_code(page: Path) -> tuple[Place, ...]:
    """What stands between backticks, outside fenced blocks."""
    found = ((number, match["code"]) for number, line in _prose(page) for match in INLINE.finditer(line))
    return tuple(Place(page, number, code) for number, code in found)


def code(page: Path) -> tuple[Place, ...]:
    """Every piece of code: between backticks, indented, and each line of a fenced block."""
    indented = [Place(page, n, match["code"]) for n, line in _prose(page) if (match := INDENTED.match(line))]
    fenced = [
        Place(page, block.line + offset, line)
        for block in blocks(page)
        for offset, line in enumerate(block.text.splitlines())
    ]
    return (*inline_code(page), *indented, *fenced)


def anchors(page: Path) -> frozenset[str]:
    """What a link may name behind `#`, as GitHub makes it of headings."""
    return frozenset(
        re.sub(r"[^\w\- ]", "", match["words"].lower()).replace(" ", "-")
        for _, line in _prose(page)
        if (match := HEADING.match(line))
    )


def table_rows(page: Path, *, columns: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """The rows of tables with that many columns, heads and rules aside: line and cells."""
    rows = []
    for number, line in _prose(page):
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        if line.startswith("|") and len(cells) == columns and not set(line) <= set("|-: "):
            rows.append((number, cells))
    return tuple(rows)


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    inside = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if fence and (not inside or fence["fence"].startswith(inside)):
            inside = "" if inside else fence["fence"]
        elif not inside:
            yield number, line


def _blocks(page: Path) -> Iterator[Block]:
    language, first, inside = "", 0, ""
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if not inside and fence:
            inside, language, first, lines = fence["fence"], fence["language"], number + 1, []
        elif inside and line.strip().startswith(inside):
            yield Block(page, first, language, "\n".join(lines) + "\n")
            inside = ""
        elif inside:
            lines.append(line)
