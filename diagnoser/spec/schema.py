"""What may a user write in `diagnose.yaml`? A JSON Schema (2020-12) of every spelling, for editors and other tools."""

from typing import Any

from diagnoser.spec import names
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.spelling import CALLABLE_SECTIONS, REFERENCES
from diagnoser.spec.words import FIELDS

Schema = dict[str, Any]

REFERENCE = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$"
DOTTED = r"^[^\W\d]\w*([.:][^\W\d]\w*)+$"  # `class_path` and `_target_`: pkg.module.Class
DATE = r"^\d{4}-\d{2}-\d{2}$"
DEVICE = r"^(auto|cpu|cuda(:\d+)?)$"

_BUILT_IN = {
    "loss": names.LOSSES,
    "optimizer": (*names.OPTIMIZERS, *names.OPTIMIZER_CLASSES.values()),
    "scheduler": names.SCHEDULERS,
    "metric": names.METRICS,
}
# Where a factory is given, these keys say nothing.
_NOT_BESIDE_FACTORY = {"optimizer": ("name", "momentum", "groups"), "loss": ("name",), "metric": ("name",)}


def json_schema() -> Schema:
    """Return the schema; what it cannot say (names that exist, ends of a range in order) is checked on reading."""
    derived = TrainingSpec.model_json_schema()
    definitions: Schema = derived["$defs"]
    for name, definition in definitions.items():
        _tidy(definition)
        definitions[name] = definition
    properties = {key: _property(key, value, definitions) for key, value in derived["properties"].items()}
    for section in CALLABLE_SECTIONS:
        properties[section] = _callable(section, definitions)
    for key in REFERENCES:
        properties[key] = _optional({"type": "string", "pattern": REFERENCE})
    properties["device"] = _optional({"type": "string", "pattern": DEVICE, "default": "auto"})
    _describe(properties, "")
    used = _used({"properties": properties}, definitions)
    for name, prefix in _NAMED_SECTIONS.items():
        if name in used:
            _describe(used[name].get("properties", {}), prefix)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "diagnose.yaml",
        "description": "A PyTorch training to be diagnosed: its model, its data and its configuration.",
        "type": "object",
        "properties": properties,
        "required": ["model", "data"],
        "additionalProperties": False,
        "not": {
            "required": ["epochs", "steps"],
            "properties": {"epochs": {"type": "integer"}, "steps": {"type": "integer"}},
        },
        "$defs": used,
    }


# Records that are the same wherever they stand, and the key that describes their fields.
_NAMED_SECTIONS = {
    "Range": "search.*.",
    "Choices": "search.*.",
    "ParameterGroup": "optimizer.groups.*.",
    "EarlyStopping": "early_stopping.",
    "Ema": "ema.",
    "Protocol": "protocol.",
    "Budget": "budget.",
    "Rules": "rules.",
    "Ignore": "rules.ignore.*.",
    "Gate": "gate.",
}


def _tidy(definition: Schema) -> None:
    """Our docstrings and titles are for programmers."""
    for word in ("title", "description"):
        definition.pop(word, None)
    for value in definition.get("properties", {}).values():
        value.pop("title", None)
    if "expires" in definition.get("properties", {}):
        definition["properties"]["expires"] = _optional({"type": "string", "format": "date", "pattern": DATE})


def _property(key: str, value: Schema, definitions: Schema) -> Schema:
    """Take a top-level key from its record; nothing behind the colon is as good as not written."""
    value.pop("title", None)
    if key == "search":
        choices = [{"$ref": "#/$defs/Range"}, {"$ref": "#/$defs/Choices"}]
        return _optional({"type": "object", "additionalProperties": {"anyOf": choices}})
    if "anyOf" in value or "$ref" in value or "type" in value:
        return _optional(value)
    return value


def _optional(schema: Schema) -> Schema:
    if {"type": "null"} in schema.get("anyOf", ()):
        return schema
    outer: Schema = {word: schema.pop(word) for word in ("default", "description") if word in schema}
    return {"anyOf": [schema, {"type": "null"}], **outer}


def _callable(section: str, definitions: Schema) -> Schema:
    """Every spelling of a section that names code: a word, name, factory, class_path, _target_."""
    record = CALLABLE_SECTIONS[section]
    own: Schema = {
        key: value
        for key, value in definitions[record.__name__]["properties"].items()
        if key not in {"name", "factory"}
    }
    _describe(own, f"{section}.")
    own["args"] = _optional({"type": "object", "description": FIELDS[f"{section}.args"][1]})
    beside = {key: value for key, value in own.items() if key not in _NOT_BESIDE_FACTORY.get(section, ())}
    spellings: list[Schema] = []
    built_in = _BUILT_IN.get(section)
    if built_in is not None:
        name = {"enum": list(built_in), "description": FIELDS[f"{section}.name"][1]}
        spellings.append({"enum": list(built_in)})
        required = [] if section == "optimizer" else ["name"]
        spellings.append(_object({"name": name, **own}, required))
    if section != "scheduler":
        factory = {"type": "string", "pattern": REFERENCE, "description": FIELDS[f"{section}.factory"][1]}
        spellings.append({"type": "string", "pattern": REFERENCE})
        spellings.append(_object({"factory": factory, **beside}, ["factory"]))
    path: Schema = {"type": "string", "pattern": DOTTED}
    spelled = {key: value for key, value in own.items() if key != "args"}
    spellings.append(_object({"class_path": path, "init_args": own["args"], **spelled}, ["class_path"]))
    spellings.append({**_object({"_target_": path, **spelled}, ["_target_"]), "additionalProperties": True})
    if section not in {"model", "data"}:
        spellings.append({"type": "null"})
    return {"anyOf": spellings}


def _object(properties: Schema, required: list[str]) -> Schema:
    whole: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        whole["required"] = required
    return whole


def _describe(properties: Schema, prefix: str) -> None:
    for key, value in properties.items():
        words = FIELDS.get(f"{prefix}{key}")
        if words is not None:
            value["description"] = words[1]


def _used(schema: Schema, definitions: Schema) -> Schema:
    """Keep the definitions that something refers to."""
    used: Schema = {}
    waiting: list[Any] = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            name = str(here.get("$ref", "")).removeprefix("#/$defs/")
            if name and name not in used:
                used[name] = definitions[name]
                waiting.append(definitions[name])
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    return dict(sorted(used.items()))
