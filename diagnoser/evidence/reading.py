"""How is a file of ours read, also a newer one? Unknown fields of a newer minor version are dropped."""

import json
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue, ValidationError

from diagnoser.errors import UsageError
from diagnoser.evidence.evidence import SCHEMA_VERSION, Evidence

if TYPE_CHECKING:
    from diagnoser.findings import Diagnosis

T = TypeVar("T", bound=Evidence)
ROUNDS = 20
"""A field may hide others below it; no file of ours is nested deeper."""
MOST_PROBLEMS = 5


def read_evidence(text: str) -> Evidence:
    """Read `evidence.json`, or the evidence in a `diagnosis.json`. Raises UsageError in the reader's words."""
    concluded = set(_diagnosis().model_fields) - set(Evidence.model_fields)
    return _read({name: value for name, value in _parse(text).items() if name not in concluded}, Evidence)


def read_diagnosis(text: str) -> "Diagnosis":
    """Read `diagnosis.json`. Raises UsageError in the reader's words."""
    return _read(_parse(text), _diagnosis())


def _diagnosis() -> type["Diagnosis"]:
    # The one look upwards: this file reads all files of ours, and findings rest on evidence.
    from diagnoser.findings import Diagnosis

    return Diagnosis


def _parse(text: str) -> dict[str, JsonValue]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"this is not JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("schema_version"), str):
        raise UsageError("this is no file of ours: it has no schema_version")
    return data


def _read(data: dict[str, JsonValue], kind: type[T]) -> T:
    version = str(data["schema_version"])
    newer = _is_newer_minor(version)
    for _ in range(ROUNDS):
        try:
            return kind.model_validate_json(json.dumps(data))
        except ValidationError as error:
            unknown = [entry["loc"] for entry in error.errors() if entry["type"] == "extra_forbidden"]
            if not (newer and unknown):
                raise UsageError(_words(error, kind, version)) from None
            for place in unknown:
                _drop(data, place)
    raise UsageError(f"this file of version {version} cannot be read by a program of version {SCHEMA_VERSION}")


def _is_newer_minor(version: str) -> bool:
    """Raises UsageError for another major version."""
    try:
        major, minor = (int(part) for part in version.split("."))
    except ValueError:
        raise UsageError(f"schema_version is {version!r}; it should be like {SCHEMA_VERSION!r}") from None
    ours = tuple(int(part) for part in SCHEMA_VERSION.split("."))
    if major != ours[0]:
        raise UsageError(
            f"this file has schema_version {version}; this program reads {ours[0]}.x. Update the older one"
        )
    return minor > ours[1]


def _drop(data: JsonValue, place: tuple[int | str, ...]) -> None:
    """Remove what stands there; the names of union members in pydantic's places are no keys of the file."""
    node = data
    *path, last = place
    for part in path:
        if isinstance(node, list) and isinstance(part, int):
            node = node[part]
        elif isinstance(node, dict):
            node = node.get(str(part), node)
    if isinstance(node, dict):
        node.pop(str(last), None)


def _words(error: ValidationError, kind: type[Evidence], version: str) -> str:
    problems = error.errors()
    said = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in problems[:MOST_PROBLEMS])
    more = f" (and {len(problems) - MOST_PROBLEMS} more)" if len(problems) > MOST_PROBLEMS else ""
    return f"this is no {kind.__name__.lower()} of schema_version {version}: {said}{more}"
