"""What did the user mean by a value that does not fit?"""

import re
from collections.abc import Mapping
from typing import Any

from diagnoser.spec.names import TASKS, did_you_mean
from diagnoser.spec.yaml_text import KeyPath, dotted

_WORDS_FOR_TRUE = ("yes", "on", "y", "true", "1")
_WORDS_FOR_FALSE = ("no", "off", "n", "false", "0")
_NUMBER_LIKE = re.compile(r"[-+]?[0-9_,]*\.?[0-9_]*([eE][-+]?[0-9]+)?")


def lone_reference(given: Any) -> str | None:
    """`model: {project: Net}`, or the same on two lines: a blank behind the colon makes a section of a reference."""
    if isinstance(given, Mapping) and len(given) == 1:
        key, value = next(iter(given.items()))
        if isinstance(value, str) and str(key).replace(".", "_").isidentifier() and value.isidentifier():
            return f"{key}:{value}"
    return None


def hint_for_value(path: KeyPath, value: Any, expected: str) -> str | None:
    """Guess how the value was meant."""
    if expected.startswith("`true`") and isinstance(value, (str, int)):
        word = str(value).lower()
        if word in _WORDS_FOR_TRUE:
            return "did you mean `true`?"
        return "did you mean `false`?" if word in _WORDS_FOR_FALSE else None
    if "number" in expected and isinstance(value, str) and value and _NUMBER_LIKE.fullmatch(value):
        bare = value.replace("_", "").replace(",", "")
        return f"write `{bare}`: without quotation marks, commas and underscores"
    if expected.startswith("a list") and isinstance(value, str):
        return f"write `[{value}]`"
    if expected == "a text" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'write `"{value}"`'
    if path == ("device",) and isinstance(value, str) and not value.startswith("c"):
        return "did you mean `cuda`? `auto` takes it where there is one"
    if path == ("task",) and isinstance(value, str):
        return did_you_mean(value, TASKS)
    if isinstance(value, str):
        choices = re.findall(r"`([a-z0-9_-]+)`", expected)
        return did_you_mean(value, choices) if len(choices) > 1 else None
    return _section_hint(path, value)


def _section_hint(path: KeyPath, value: Any) -> str | None:
    only = {"early_stopping": "patience", "ema": "decay", "budget": "minutes"}.get(dotted(path))
    if only and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"write `{{{only}: {value}}}`"
    return None


def general(path: KeyPath) -> str:
    """`optimizer.groups.0.match` -> `optimizer.groups.*.match`; a key of the table in words.py."""
    if path[:1] == ("search",) and len(path) > 1:
        return "search.*"
    return ".".join("*" if isinstance(part, int) else part for part in path)
