"""What would the spec be with these changes? Dotted keys into a spec, a text, and the difference between two texts."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diagnoser.errors import SpecError, SpecProblem
from diagnoser.records import JsonValue, Record
from diagnoser.spec.checks import check
from diagnoser.spec.editing import remove_from_text, rewrite_section, set_in_text, write_value
from diagnoser.spec.fields import SpecSource, TrainingSpec
from diagnoser.spec.meaning import general
from diagnoser.spec.spelling import CALLABLE_SECTIONS, unify
from diagnoser.spec.words import FIELDS, found

Changes = Mapping[str, JsonValue]
KeyPath = tuple[str, ...]

CHANGE = "<change>"  # the "file" of a change that makes no spec
CONTEXT_LINES = 1  # unchanged lines round a change; a report has little room

# Choosing one of two says no to the other.
_EXCLUDE_EACH_OTHER: Mapping[str, str] = {"epochs": "steps", "steps": "epochs"}


def path_of(key: str) -> KeyPath:
    """Split a dotted key; what stands under `search` is a dotted key itself."""
    if key.startswith("search."):
        return ("search", key.removeprefix("search."))
    return tuple(key.split("."))


def edits(spec: TrainingSpec, changes: Changes) -> dict[KeyPath, JsonValue]:
    """Spell changes out: what is implied is added, and a section given whole is in the shape of the records."""
    result: dict[KeyPath, JsonValue] = {}
    given = {path_of(key): value for key, value in changes.items()}
    for path, value in given.items():
        other = _EXCLUDE_EACH_OTHER.get(path[0])
        if other is not None and value is not None and (other,) not in given:
            result[(other,)] = None
        if len(path) == 2 and path[0] in CALLABLE_SECTIONS and path[1] in {"name", "factory"} and value is not None:
            for implied in _of_the_one_before(spec, path, value):
                if not any(other_path[: len(implied)] == implied for other_path in given):
                    result[implied] = None
        if len(path) == 1 and path[0] in CALLABLE_SECTIONS and value is not None:
            value = unify({path[0]: value}).values.get(path[0])
        result[path] = value
    return result


def _of_the_one_before(spec: TrainingSpec, path: KeyPath, value: JsonValue) -> tuple[KeyPath, ...]:
    """Tell what belonged to the optimizer, loss, ... that another now replaces: its arguments, its other name."""
    section = getattr(spec, path[0])
    if section is None or getattr(section, path[1], None) == value:
        return ()
    other = "factory" if path[1] == "name" else "name"
    stale = [(path[0], "args")] if section.args else []
    if getattr(section, other, None) is not None:
        stale.append((path[0], other))
    if path == ("optimizer", "factory"):  # it makes its own
        stale += [("optimizer", "momentum"), ("optimizer", "groups")]
    return tuple(stale)


def apply_changes(spec: TrainingSpec, changes: Changes) -> TrainingSpec:
    """Return the spec with dotted keys set; None removes. Raises SpecError when the outcome is not a spec."""
    if not changes:
        return spec
    data = spec.model_dump()
    made = edits(spec, changes)
    for path, value in made.items():
        _set(data, path, value)
    try:
        changed = TrainingSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError(tuple(_wrong(each["loc"], each["msg"], each["input"]) for each in error.errors())) from None
    problems: list[SpecProblem] = []

    def report(path: tuple[str | int, ...], message: str, hint: str | None) -> None:
        touched = any(path[: len(one)] == one or one[: len(path)] == path for one in made)
        if touched:
            problems.append(_problem(path, message, hint))

    check(changed.model_dump(mode="json", exclude_defaults=True), report)
    if problems:
        raise SpecError(tuple(problems))
    return changed


def _wrong(location: tuple[str | int, ...], said: str, value: Any) -> SpecProblem:
    """Say what a key expects, in the words of the spec's own errors."""
    expected = FIELDS.get(general(location), (None,))[0]
    if expected is None or not location:
        return _problem(location, f"{said[:1].lower()}{said[1:]}")
    return _problem(location, f"expected {expected}, found {found(value)}")


def _problem(path: tuple[str | int, ...], message: str, hint: str | None = None) -> SpecProblem:
    return SpecProblem(file=CHANGE, line=None, key=".".join(str(part) for part in path), message=message, hint=hint)


def patch_text(text: str, changes: Changes) -> str:
    """Return the text with the changes made in it, all else untouched: comments, order, alignment, spelling.

    The result, read again, is `apply_changes` of the text's spec. Raises SpecError when one of the two is not a spec.
    """
    from diagnoser.spec.reading import parse_spec  # which itself tries search values by `apply_changes`

    before, _ = parse_spec(text, folder=Path(), check_modules=False)
    wanted = apply_changes(before, changes)
    made = edits(before, changes)
    new = text
    for path, value in made.items():
        if value is not None:
            new = set_in_text(new, path, value)
    for path, value in made.items():
        if value is None:
            new = remove_from_text(new, path)
    if _reads_as(new, wanted):
        return new
    # An anchor, a merge or another rare spelling: the sections concerned are written anew; at worst, all of them.
    new = _rewritten(text, wanted, tuple(dict.fromkeys(path[0] for path in made)))
    if _reads_as(new, wanted):
        return new
    shown = {section: _short_form(wanted, section) for section in TrainingSpec.model_fields}
    return "".join(f"{section}: {write_value(value)}\n" for section, value in shown.items() if value is not None)


def _rewritten(text: str, wanted: TrainingSpec, sections: tuple[str, ...]) -> str:
    for section in sections:
        try:
            text = rewrite_section(text, section, _short_form(wanted, section))
        except SpecError:  # an anchor went with the section that held it
            return text
    return text


def _reads_as(text: str, wanted: TrainingSpec) -> bool:
    from diagnoser.spec.reading import parse_spec

    try:
        spec, _ = parse_spec(text, folder=Path(), check_modules=False)
    except SpecError:
        return False
    return spec.model_dump_json() == wanted.model_dump_json()


def _short_form(spec: TrainingSpec, section: str) -> JsonValue:
    """Write a section without its defaults; None when nothing is left to say."""
    value = getattr(spec, section)
    if value is None or value == TrainingSpec.model_fields[section].default:
        return None
    if isinstance(value, Record):
        short: dict[str, JsonValue] = value.model_dump(mode="json", exclude_defaults=True)
        named = "name" in type(value).model_fields and getattr(value, "factory", None) is None
        return {"name": value_at(spec, f"{section}.name"), **short} if named else short
    whole: dict[str, JsonValue] = spec.model_dump(mode="json", include={section}, exclude_defaults=True)
    return whole[section]


def diff(source: SpecSource, changes: Changes) -> str:
    """Show the changes as a difference of the user's own text; without a text, as a list of keys."""
    listed = [f"- {key}" if value is None else f"+ {key}: {write_value(value)}" for key, value in changes.items()]
    if not source.text:
        return "\n".join(listed)
    name = Path(source.file).name
    old, new = source.text.splitlines(), patch_text(source.text, changes).splitlines()
    return "\n".join(difflib.unified_diff(old, new, fromfile=name, tofile=name, n=CONTEXT_LINES, lineterm=""))


def value_at(spec: TrainingSpec, key: str) -> JsonValue:
    """Return what a dotted key says; None where nothing is said. Raises KeyError for a key that no spec has."""
    here: Any = spec
    for part in path_of(key):
        if here is None:
            return None
        if isinstance(here, Record):
            if part not in type(here).model_fields:
                raise KeyError(key)
            here = getattr(here, part)
        elif isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, (list, tuple)) and part.isdigit():
            here = here[int(part)] if int(part) < len(here) else None
        else:
            raise KeyError(key)
    if isinstance(here, Record):
        return here.model_dump(mode="json")
    if isinstance(here, tuple):
        return [item.model_dump(mode="json") if isinstance(item, Record) else item for item in here]
    if isinstance(here, Mapping):
        return {name: item.model_dump(mode="json") if isinstance(item, Record) else item for name, item in here.items()}
    return here  # type: ignore[no-any-return]  # a scalar, or a list inside `args`


def _set(data: Any, path: KeyPath, value: JsonValue) -> None:
    """Set or remove one value, making the sections on the way."""
    here = data
    for part in path[:-1]:
        if isinstance(here, (list, tuple)):
            here = here[_index(here, part, path)]
            continue
        nested = here.get(part)
        if isinstance(nested, tuple):
            nested = here[part] = list(nested)
        if nested is None:
            if value is None:
                return
            nested = here[part] = {}
        if not isinstance(nested, (dict, list)):
            raise _not_there(path, f"`{part}` holds {nested!r} and has no `{path[-1]}`")
        here = nested
    if isinstance(here, list):
        here[_index(here, path[-1], path)] = value
    elif value is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = value


def _index(items: Any, part: str, path: KeyPath) -> int:
    if part.isdigit() and int(part) < len(items):
        return int(part)
    raise _not_there(path, f"there is no item `{part}`: the list has {len(items)}")


def _not_there(path: KeyPath, message: str) -> SpecError:
    return SpecError((_problem(path, message),))
