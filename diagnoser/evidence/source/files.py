"""How is a Python file changed at a few places, with every other character left as it is?"""

import ast
import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

CONTEXT_LINES = 1  # unchanged lines round a change, as in the differences of the spec
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
"""A line as Python's parser counts it; `str.splitlines` also splits at form feeds and the like."""
REST_OF_LINE = re.compile(r"[ \t]*(#[^\r\n]*)?(\r\n|\r|\n|\Z)")


@dataclass(frozen=True)
class File:
    """A file of the user's with its syntax tree."""

    name: str  # relative to the spec's folder
    text: str
    tree: ast.Module

    @cached_property
    def lines(self) -> list[str]:
        """With their ends."""
        return LINE.findall(self.text)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts, and where the text ends."""
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line))
        return starts

    def place(self, line: int, column: int) -> int:
        """Where a line and a column of the syntax tree (in bytes of UTF-8) stand in the text."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Where a node begins."""
        return self.place(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.place(node.end_lineno, node.end_col_offset)

    def source(self, node: ast.expr) -> str:
        """What stands there; in brackets where it goes over several lines, which may have been held by others."""
        text = self.text[self.start(node) : self.end(node)]
        return f"({text})" if "\n" in text or "\r" in text else text


@dataclass(frozen=True)
class Change:
    """Text in place of what stands between two places of a file."""

    file: File
    start: int
    end: int
    text: str


def parsed(name: str, content: bytes) -> File | None:
    """Read a file; None for one that is no Python in UTF-8."""
    try:
        text = content.decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an invalid escape Python has warned already, when it was imported
            return File(name, text, ast.parse(text))
    except (UnicodeDecodeError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def replaced(file: File, node: ast.expr, text: str) -> Change:
    """Other text in place of an expression."""
    return Change(file, file.start(node), file.end(node), text)


def before(file: File, statement: ast.stmt, code: str) -> Change | None:
    """A statement in a line of its own above another one; None where that one does not begin its line."""
    indentation = _indentation(file, statement)
    if indentation is None:
        return None
    start = file.starts[statement.lineno - 1]
    return Change(file, start, start, f"{indentation}{code}{_line_end(file)}")


def behind(file: File, statement: ast.stmt, code: str) -> Change | None:
    """A statement in a line of its own below another one; None where that one does not have its lines for itself."""
    indentation, end = _indentation(file, statement), _end_of_lines(file, statement)
    if indentation is None or end is None:
        return None
    gap = "" if file.text[:end].endswith(("\n", "\r")) else _line_end(file)
    return Change(file, end, end, f"{gap}{indentation}{code}{_line_end(file)}")


def moved(
    file: File, statement: ast.stmt, put: Callable[[File, ast.stmt, str], Change | None], target: ast.stmt
) -> tuple[Change, ...] | None:
    """A statement of one line goes, with its comment, to where `put` puts it: before or behind another one."""
    end = _end_of_lines(file, statement)
    if end is None or _indentation(file, statement) is None or statement.lineno != statement.end_lineno:
        return None
    placed = put(file, target, file.text[file.start(statement) : end].rstrip("\r\n"))
    return None if placed is None else (Change(file, file.starts[statement.lineno - 1], end, ""), placed)


def applied(file: File, changes: Iterable[Change]) -> str | None:
    """The text with the changes in it; None where they overlap, change nothing or leave no Python."""
    new, at = [], 0
    for change in sorted(changes, key=lambda one: (one.start, one.end)):
        if change.start < at:
            return None
        new += [file.text[at : change.start], change.text]
        at = change.end
    text = "".join([*new, file.text[at:]])
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return text if text != file.text else None


def difference(changes: Sequence[Change]) -> str | None:
    """The changes as a unified diff, file by file; None where one of the files would not hold them."""
    shown: list[str] = []
    for name in sorted({change.file.name for change in changes}):
        own = [change for change in changes if change.file.name == name]
        new = applied(own[0].file, own)
        if new is None:
            return None
        old, now = ([line.rstrip("\r\n") for line in LINE.findall(text)] for text in (own[0].file.text, new))
        shown += difflib.unified_diff(old, now, fromfile=name, tofile=name, n=CONTEXT_LINES, lineterm="")
    return "\n".join(shown)


def _indentation(file: File, statement: ast.stmt) -> str | None:
    start = file.starts[statement.lineno - 1]
    space = file.text[start : file.start(statement)]
    return space if not space.strip(" \t") else None


def _end_of_lines(file: File, statement: ast.stmt) -> int | None:
    """Where the line after a statement begins; None where something else stands behind it."""
    rest = REST_OF_LINE.match(file.text, file.end(statement))
    return rest.end() if rest is not None else None


def _line_end(file: File) -> str:
    """How the file ends its lines, told by the first one."""
    first = file.lines[0] if file.lines else "\n"
    return first[len(first.rstrip("\r\n")) :] or "\n"
