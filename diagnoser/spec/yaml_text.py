"""What does the YAML say, and on which line? YAML 1.2 (core schema) with a position for every key.

Covers: syntax errors with the line's text, duplicate keys, tabs, tags, several documents, anchors that blow up or
contain themselves. Does not cover: what the keys mean.
"""

import re
from dataclasses import dataclass
from typing import Any

from diagnoser.errors import SpecError, SpecProblem
from diagnoser.spec.yaml_nodes import MAX_NODES, SHOWN, Node, compose, printable

KeyPath = tuple[str | int, ...]


# YAML 1.2.2, section 10.3.2: the core schema. `off`, `yes`, `no` and dates are text here.
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)")
_NAN = re.compile(r"\.nan|\.NaN|\.NAN")
MAX_DIGITS = 300  # beyond this Python refuses or a float overflows; no setting of a training is that long

CORE_TAGS = ("str", "int", "float", "bool", "null", "seq", "map")


@dataclass
class Document:
    """Plain values, the line of every key, and what was wrong on the way."""

    value: Any
    lines: dict[KeyPath, int]
    problems: list[SpecProblem]
    root: Node | None


def read_yaml(text: str, *, file: str) -> Document:
    """Read one document; raises SpecError when the text is not YAML at all."""
    root = compose(text, file=file)
    if root is None:
        return Document(value=None, lines={}, problems=[], root=None)
    builder = _Builder(file=file)
    value = builder.value_of(root, ())
    return Document(value=value, lines=builder.lines, problems=builder.problems, root=root)


class _Builder:
    """Walks the nodes once; an alias counts each time that it is used."""

    def __init__(self, *, file: str) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[SpecProblem] = []
        self._nodes = 0
        self._inside: list[int] = []

    def problem(self, line: int, path: KeyPath, message: str, hint: str | None = None) -> None:
        self.problems.append(SpecProblem(file=self.file, line=line, key=dotted(path), message=message, hint=hint))

    def value_of(self, node: Node, path: KeyPath) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES:,} values once the anchors (`*name`) are expanded; a spec has a few dozen"
            raise SpecError((SpecProblem(file=self.file, line=node.line, key="", message=message),))
        if id(node) in self._inside:
            raise SpecError((SpecProblem(file=self.file, line=node.line, key="", message="an anchor contains itself"),))
        if node.tag and not _is_core(node.tag):
            hint = "remove the tag; code is named as `module:attr`"
            self.problem(node.line, path, f"the tag `{_short(node.tag)}` means nothing in a spec", hint)
        if node.kind == "scalar":
            return self._scalar(node, path)
        self._inside.append(id(node))
        try:
            if node.kind == "list":
                values = []
                for index, item in enumerate(node.items):
                    self.lines[(*path, index)] = item.line
                    values.append(self.value_of(item, (*path, index)))
                return values
            return self._mapping(node, path)
        finally:
            self._inside.pop()

    def _mapping(self, node: Node, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        written: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key, item in node.pairs():
            if key.kind == "scalar" and key.plain and key.text == "<<":
                sources = item.items if item.kind == "list" else [item]
                for source in reversed(sources):
                    value = self.value_of(source, path)
                    if isinstance(value, dict):
                        merged.update(value)
                continue
            if key.kind != "scalar":
                self.problem(
                    key.line,
                    path,
                    "a key is a word, and here stands a list or a section",
                    "remove the `?` or the brackets",
                )
                continue
            name = self._key(key, path)
            here = (*path, name)
            if name in written:
                self.problem(
                    key.line,
                    here,
                    f"this key stands twice, on lines {written[name]} and {key.line}",
                    "keep one of them",
                )
                continue
            written[name] = key.line
            self.lines[here] = key.line
            values[name] = self.value_of(item, here)
        return {**{key: value for key, value in merged.items() if key not in values}, **values} if merged else values

    def _key(self, key: Node, path: KeyPath) -> str:
        value = plain_value(key.text) if key.plain else key.text
        if not isinstance(value, str):
            self.problem(
                key.line,
                (*path, key.text),
                f"a key is a word, and `{key.text[:SHOWN]}` is none",
                "put it in quotation marks",
            )
        return key.text

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        kind = _short(node.tag)
        if any("\ud800" <= letter <= "\udfff" for letter in node.text):
            self.problem(node.line, path, "half a character: an escape such as `\\ud83d` stands without its other half")
            return ""
        if kind == "!!str" or (not node.plain and not node.tag) or (node.tag and not _is_core(node.tag)):
            return node.text
        value = plain_value(node.text)
        if isinstance(value, int) and not isinstance(value, bool) and len(node.text) > MAX_DIGITS:
            self.problem(node.line, path, "a number of more digits than any setting needs")
            return 0
        return value


def plain_value(text: str) -> Any:
    """Resolve a scalar without quotes by the core schema."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INT.fullmatch(text):
        return int(text[:MAX_DIGITS])
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinite = _INFINITE.fullmatch(text)
    if infinite:
        return float(f"{infinite[1]}inf")
    return float("nan") if _NAN.fullmatch(text) else text


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _is_core(tag: str) -> bool:
    return tag == "!" or _short(tag).removeprefix("!!") in CORE_TAGS


def dotted(path: KeyPath) -> str:
    """Write a path as users do: `optimizer.groups.0.match`."""
    return printable(".".join(str(part) for part in path))
