"""Where in a YAML text does each value begin and end? The tree of nodes; or what keeps the text from being YAML."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from diagnoser.errors import SpecError, SpecProblem

MAX_NODES = 10_000  # a long spec has some hundred
MAX_DEPTH = 100  # brackets in brackets; a spec needs five
SHOWN = 80  # characters of a line that a message quotes


@dataclass
class Node:
    """A value in the text: where it begins and ends, and what it holds."""

    kind: Literal["scalar", "list", "mapping"]
    start: int  # index into the text
    end: int
    line: int  # 1-based
    column: int  # 0-based, of the value
    flow: bool = False  # {...} or [...]
    plain: bool = False  # a scalar without quotes
    text: str = ""  # of a scalar
    tag: str = ""
    items: list["Node"] = field(default_factory=list)  # of a list; of a mapping: key, value, key, value...

    def pairs(self) -> Iterator[tuple["Node", "Node"]]:
        return zip(self.items[::2], self.items[1::2], strict=True)


def compose(text: str, *, file: str) -> Node | None:
    """Build the tree of nodes; an alias is the very node that its anchor names."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    # ruamel raises some of its findings as plain exceptions; a character that YAML forbids has a position.
    plain_ones = (ValueError, LookupError, RecursionError, AttributeError, TypeError, NotImplementedError)
    composer = _Composer(text, file=file)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            composer.take(event, kind=type(event).__name__)
    except MarkedYAMLError as error:
        raise _not_yaml(error, text, file=file) from None
    except (YAMLError, *plain_ones) as error:
        raise _not_text(error, text, file=file) from None
    return composer.root


def printable(text: str) -> str:
    """Write control characters as escapes: a message is one line, whatever a file holds."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class _Composer:
    """Takes the events of a parser in turn; without recursion, since anybody's brackets may be deep."""

    def __init__(self, text: str, *, file: str) -> None:
        self.root: Node | None = None
        self._text = text
        self._file = file
        self._open: list[Node] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def take(self, event: Any, *, kind: str) -> None:
        if kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self._open.pop().end = event.end_mark.index
        elif kind == "AliasEvent":
            self._place(_alias(event, self._anchors, file=self._file))
        elif kind in {"ScalarEvent", "MappingStartEvent", "SequenceStartEvent"}:
            self._count += 1
            if self._count > MAX_NODES:
                raise _syntax(
                    self._file, event, f"the file holds more than {MAX_NODES:,} values; a spec has a few dozen"
                )
            node = _node(event, kind)
            if event.anchor:
                self._anchors[str(event.anchor)] = node
            self._place(node)
            if kind != "ScalarEvent":
                self._open.append(node)
            if len(self._open) > MAX_DEPTH:
                raise _syntax(self._file, event, f"brackets or indents are nested more than {MAX_DEPTH} deep")
        elif kind == "DocumentStartEvent" and self.root is not None:
            raise _syntax(self._file, event, "a second document begins here with `---`; a spec is one document")

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if node.start == node.end and parent.kind == "mapping" and len(parent.items) % 2:
            node.start = node.end = self._text.find(":", parent.items[-1].end) + 1  # nothing behind the colon
        parent.items.append(node)


def _node(event: Any, kind: str) -> Node:
    mark, end = event.start_mark, event.end_mark
    node = Node(
        kind="scalar" if kind == "ScalarEvent" else "mapping" if kind == "MappingStartEvent" else "list",
        start=mark.index,
        end=end.index,
        line=mark.line + 1,
        column=mark.column,
        flow=bool(getattr(event, "flow_style", False)),
        tag=str(event.tag or ""),
    )
    if kind == "ScalarEvent":
        node.text = str(event.value)
        node.plain = not event.style
    return node


def _alias(event: Any, anchors: dict[str, Node], *, file: str) -> Node:
    known = anchors.get(str(event.anchor))
    if known is None:
        raise _syntax(
            file, event, f"`*{event.anchor}` refers to an anchor that is not defined above (`&{event.anchor}`)"
        )
    return known


def _syntax(file: str, event: Any, message: str) -> SpecError:
    return SpecError((SpecProblem(file=file, line=event.start_mark.line + 1, key="", message=message),))


# ruamel's words -> ours. The first that occurs in its message is taken.
_PLAIN_WORDS = (
    ("'\\t'", "a tab stands where YAML wants blanks", "replace the tab by blanks"),
    (
        "mapping values are not allowed",
        "a colon is not allowed here",
        "check the indentation of this line and the line above; quote a text that holds `: `",
    ),
    ("expected ',' or '}'", "a `{` is not closed, or a comma is missing", "write `{key: value, key: value}`"),
    ("expected ',' or ']'", "a `[` is not closed, or a comma is missing", "write `[value, value]`"),
    ("could not find expected ':'", "a line without a colon", "every line reads `key: value`"),
    (
        "expected <block end>",
        "the indentation does not fit the lines above",
        "keys of one section begin in the same column",
    ),
    ("while scanning a quoted scalar", "a quotation mark is not closed", None),
    ("unexpected end of stream", "the text ends in the middle of a value", "close the quotation mark or bracket"),
    ("cannot start any token", "this character cannot begin a value", "put the text in quotation marks"),
    (
        "block sequence entries are not allowed",
        "a list item (`- `) is not allowed here",
        "begin the list on a line of its own",
    ),
)


def _not_yaml(error: Any, text: str, *, file: str) -> SpecError:
    mark = error.problem_mark or error.context_mark
    said = " ".join(str(part) for part in (error.problem, error.context) if part)
    line = None if mark is None else mark.line + 1
    shown = ""
    if line is not None:
        rows = text.splitlines()
        while line > 1 and (line > len(rows) or not rows[line - 1].strip()):
            line -= 1  # the end of the text is reported behind its last line
        if line <= len(rows):
            shown = f"; the line reads `{printable(rows[line - 1].strip()[:SHOWN])}`"
    message, hint = next(
        ((ours, hint) for theirs, ours, hint in _PLAIN_WORDS if theirs in said),
        (error.problem or "no reason given", None),
    )
    begun = error.context_mark
    if begun is not None and line is not None and begun.line + 1 < line:
        message += f" (it begins on line {begun.line + 1})"
    return SpecError((SpecProblem(file=file, line=line, key="", message=f"not YAML: {message}{shown}", hint=hint),))


def _not_text(error: Exception, text: str, *, file: str) -> SpecError:
    position, line = getattr(error, "position", None), None
    message = "not YAML: the text cannot be read"
    if isinstance(position, int) and position < len(text):
        line = text.count("\n", 0, position) + 1
        message = f"not YAML: the character U+{ord(text[position]):04X} is not allowed in a text file"
    return SpecError((SpecProblem(file=file, line=line, key="", message=message),))
