"""What `docs/spec.md` says of each key is what the program does: no key is missing, no default has moved."""

import inspect
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from diagnoser.records import Record
from diagnoser.spec.fields import Choices, Factory, Range, TrainingSpec
from diagnoser.spec.patching import value_at
from diagnoser.spec.reading import parse_spec
from tests.helpers import pages

PAGE = pages.ROOT / "docs" / "spec.md"
REST = {"model": "model: project:build_model", "data": "data: project:build_data"}
"""What an example needs beside it to be a whole spec."""


class Row(typing.NamedTuple):
    """One documented key."""

    line: int
    takes: str
    default: str
    example: str


def documented() -> dict[str, Row]:
    rows = ((line, cells) for line, cells in pages.table_rows(PAGE, columns=4) if cells[0] != "key")
    return {
        key.strip("`"): Row(line, takes, default, example.strip("`")) for line, (key, takes, default, example) in rows
    }


def keys(record: type[Record], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every dotted key of the records, sections too; `*` for the items of a list and the names of a mapping."""
    for name, field in record.model_fields.items():
        yield prefix + name, field
        for inner, many in records_in(field.annotation):
            yield from keys(inner, f"{prefix}{name}{'.*.' if many else '.'}")


def records_in(annotation: object, *, many: bool = False) -> Iterator[tuple[type[Record], bool]]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if inspect.isclass(annotation) and issubclass(annotation, Record):
        yield annotation, many
    elif origin in {tuple, dict, typing.Union, types.UnionType, typing.Annotated}:
        for argument in arguments:
            yield from records_in(argument, many=many or origin in {tuple, dict})


FIELDS = dict(keys(TrainingSpec))
ROWS = documented()


def test_every_key_of_the_spec_has_its_row_and_no_other() -> None:
    assert sorted(ROWS) == sorted(FIELDS)


@pytest.mark.parametrize("key", FIELDS)
def test_the_default_is_the_one_that_the_program_takes(key: str) -> None:
    row, field = ROWS[key], FIELDS[key]
    if key == "name":  # known only when the file is read
        assert row.default == "the folder's name"
    elif field.is_required():
        assert row.default == "required"
    elif key in {"optimizer", "protocol", "budget", "rules", "gate"}:
        assert row.default in {"below", "adam, lr 0.001"}  # a section: its keys say it
    elif field.default is None or field.default in ((), {}):
        assert row.default[:1] not in {*"0123456789", "["}  # nothing, or what is taken in its place, in words
        assert row.default not in {"true", "false", "required", ""}
    else:
        assert row.default == (field.default if isinstance(field.default, str) else json.dumps(field.default))


@pytest.mark.parametrize("key", FIELDS)
def test_the_example_is_read_and_says_something_of_its_key(key: str) -> None:
    row = ROWS[key]
    section = row.example.partition(":")[0]
    text = "\n".join([row.example, *(line for name, line in REST.items() if name != section)])
    spec, source = parse_spec(text, file=f"spec.md:{row.line}", folder=Path(), check_modules=False)
    parts = key.split(".")
    if "*" not in parts:
        value_at(spec, key)  # KeyError: there is no such key
    assert section == parts[0]
    assert parts[-1] in row.example or spec.model_dump()[section] is not None
    assert source.lines


def test_the_named_values_of_a_key_are_those_that_it_takes() -> None:
    """A choice that is not on the page cannot be found by a reader."""
    for key, field in FIELDS.items():
        for choice in literals(field.annotation):
            assert f"`{choice}`" in ROWS[key].takes, f"spec.md:{ROWS[key].line}: {key} also takes {choice}"


def literals(annotation: object) -> Iterator[str]:
    if typing.get_origin(annotation) is typing.Literal:
        yield from map(str, typing.get_args(annotation))
    else:
        for argument in typing.get_args(annotation):
            yield from literals(argument)


def test_the_defaults_that_stand_in_words_are_the_programs() -> None:
    from diagnoser.training.workload import DEFAULT_EPOCHS

    optimizer = TrainingSpec.model_fields["optimizer"].default
    assert ROWS["optimizer"].default == f"{optimizer.name}, lr {optimizer.lr}"
    assert ROWS["epochs"].default.endswith(f" {DEFAULT_EPOCHS}")


def test_both_ways_to_search_are_documented() -> None:
    assert {f"search.*.{name}" for record in (Range, Choices) for name in record.model_fields} <= set(ROWS)
    assert set(Factory.model_fields) == {"factory", "args"}


def test_the_built_in_metrics_and_tasks_are_all_named() -> None:
    from diagnoser.spec import names

    for key, known in (
        ("task", names.TASKS),
        ("metric.name", names.METRICS),
        ("scheduler.name", names.SCHEDULER_ALIASES),
    ):
        assert [name for name in known if f"`{name}`" not in ROWS[key].takes] == []
