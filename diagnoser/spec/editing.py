"""How is one value in a YAML text changed so that nothing else in it moves? Comments, order and alignment stay."""

import json
import math
import re
from collections.abc import Mapping, Sequence

from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.spelling import Unified, unify
from diagnoser.spec.yaml_nodes import Node
from diagnoser.spec.yaml_text import Document, KeyPath, plain_value, read_yaml

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/*-]*")
_INSTEAD: Mapping[str, str] = {"name": "factory", "factory": "name", "epochs": "steps", "steps": "epochs"}


def write_value(value: JsonValue) -> str:
    """Write a value on one line, as YAML 1.2."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        return re.sub(r"e([-+])0+(?=\d)", r"e\1", repr(value))  # 1e-05 -> 1e-5
    if isinstance(value, str):
        safe = _PLAIN.fullmatch(value) and not value.endswith(":") and plain_value(value) == value
        return value if safe else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{write_value(key)}: {write_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(write_value(item) for item in value) + "]"
    return str(value)


def set_in_text(text: str, path: KeyPath, value: JsonValue) -> str:
    """Set the value at a unified path, wherever and however the text spells it."""
    document, unified = _read(text)
    root = document.root
    if root is None or root.kind != "mapping":
        return f"{text.rstrip()}\n{write_value(_nested(path, value))[1:-1]}\n".lstrip()
    written = unified.written(path)
    rival = _entry(root, unified.written((*path[:-1], _INSTEAD.get(str(path[-1]), ""))))
    if _entry(root, written) is None and rival is not None:
        key, item = rival
        if key is item or len(unified.written(path)) > len(path):
            return text
        if len(path) == 1 or _entry(root, path[:-1]) != rival:
            return _replace(text, key.start, _end(item), f"{path[-1]}: {write_value(value)}")
        return _replace(text, item.start, _end(item), write_value(value))  # `loss: project:mine` -> `loss: mse_loss`
    for depth in range(len(written), -1, -1):
        entry = _entry(root, written[:depth]) if depth else (root, root)
        if entry is not None:
            return _set_at(text, unified, entry, written=written, depth=depth, value=value)
    return text


def remove_from_text(text: str, path: KeyPath) -> str:
    """Remove the key at a unified path; a text without it stays as it is."""
    document, unified = _read(text)
    written = unified.written(path)
    if document.root is None or _entry(document.root, written) is None:
        return text
    if len(written) == 1:
        return _remove(text, document.root, str(written[0]))
    key, parent = _entry(document.root, written[:-1]) or (document.root, document.root)
    if parent.kind != "mapping":
        return text  # an item of a list is not taken out: the others would be renumbered
    if len(parent.items) > 2:
        return _remove(text, parent, str(written[-1]))
    if written[-2] in {"args", "init_args"}:
        return remove_from_text(text, path[:-1])  # no arguments left
    return _replace(text, key.end, _end(parent), ": {}")


def rewrite_section(text: str, section: str, value: JsonValue) -> str:
    """Write a whole top-level section anew, on one line; None removes it. Its comments are lost."""
    document, _ = _read(text)
    entry = None if document.root is None else _entry(document.root, (section,))
    if entry is None:
        return text if value is None else set_in_text(text, (section,), value)
    if value is None:
        assert document.root is not None
        return _remove(text, document.root, section)
    key, item = entry
    return _replace(text, key.start, max(_end(item), key.end), f"{section}: {write_value(value)}")


# --- where things stand ----------------------------------------------------------------------------------------------


def _read(text: str) -> tuple[Document, Unified]:
    document = read_yaml(text, file="")
    return document, unify(document.value if isinstance(document.value, Mapping) else {})


def _entry(root: Node, path: KeyPath) -> tuple[Node, Node] | None:
    """Return key and value nodes (twice the item for a list's)."""
    found = (root, root)
    for part in path:
        node = found[1]
        if node.kind == "list" and isinstance(part, str) and part.isdigit():
            part = int(part)
        if node.kind == "mapping":
            pair = next(((key, item) for key, item in node.pairs() if key.text == str(part)), None)
        elif node.kind == "list" and isinstance(part, int) and part < len(node.items):
            pair = (node.items[part], node.items[part])
        else:
            pair = None
        if pair is None:
            return None
        found = pair
    return found if path else None


def _end(node: Node) -> int:
    """Return where a value ends; a block's own mark lies at the next token, behind comments."""
    if node.kind == "scalar" or node.flow or not node.items:
        return node.end
    return _end(node.items[-1])


def _line_end(text: str, position: int) -> int:
    if position and text[position - 1] == "\n":  # behind a block scalar
        return position - 1
    end = text.find("\n", position)
    return len(text) if end < 0 else end


# --- changing --------------------------------------------------------------------------------------------------------


def _replace(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _nested(path: KeyPath, value: JsonValue) -> JsonValue:
    for part in reversed(path):
        value = {str(part): value}
    return value


def _set_at(
    text: str, unified: Unified, entry: tuple[Node, Node], *, written: KeyPath, depth: int, value: JsonValue
) -> str:
    """Set the value in the deepest section that is already there."""
    key, item = entry
    rest = written[depth:]
    if not rest:
        if item.kind == "scalar" or item.flow:
            return _replace(text, item.start, item.end, _spaced(text, item.start, write_value(value)))
        return _replace(text, key.start, _end(item), f"{text[key.start : key.end]}: {write_value(value)}")
    new = f"{write_value(str(rest[0]))}: {write_value(_nested(rest[1:], value))}"
    if item.kind == "scalar":
        kind = next((origin[-1] for origin, at in unified.origins.items() if at == written[:depth]), None)
        old = text[item.start : item.end]
        inside = f"{kind}: {old}, {new}" if old.strip() and kind is not None else new
        return _replace(text, item.start, item.end, _spaced(text, item.start, f"{{{inside}}}"))
    if item.flow:
        if not item.items:
            return _replace(text, item.start, item.end, f"{{{new}}}")
        return _replace(text, _end(item.items[-1]), _end(item.items[-1]), f", {new}")
    after = _predecessor(item, str(rest[0])) if depth == 0 else item.items[-1]
    newline = "\r\n" if "\r\n" in text else "\n"
    indent = " " * item.items[0].column
    if after is None:
        return _replace(text, item.items[0].start, item.items[0].start, f"{new}{newline}{indent}")
    end = _line_end(text, _end(after))
    if text[end - 1 : end] == "\r":
        end -= 1
    return _replace(text, end, end, f"{newline}{indent}{new}")


def _spaced(text: str, position: int, new: str) -> str:
    """`scheduler:` with nothing behind it needs a blank first."""
    return f" {new}" if position and text[position - 1] == ":" else new


def _predecessor(root: Node, name: str) -> Node | None:
    """Return the value behind which a new top-level key belongs, in the order of the documentation."""
    order = list(TrainingSpec.model_fields)
    place = order.index(name) if name in order else len(order)
    before = [item for key, item in root.pairs() if key.text not in order or order.index(key.text) < place]
    return before[-1] if before else None


def _remove(text: str, parent: Node, name: str) -> str:
    pairs = list(parent.pairs())
    index = next(index for index, (key, _) in enumerate(pairs) if key.text == name)
    key, item = pairs[index]
    if parent.flow:
        if index + 1 < len(pairs):
            return _replace(text, key.start, pairs[index + 1][0].start, "")
        before = max(_end(pairs[index - 1][1]), pairs[index - 1][0].end) if index else key.start
        return _replace(text, before, _end(item), "")
    start = text.rfind("\n", 0, key.start) + 1
    return _replace(text, start, _line_end(text, max(_end(item), key.end)) + 1, "")
